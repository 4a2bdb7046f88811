"""Measure the speed of training on this machine, compared with other libraries."""
