"""Receptive fields, along one axis and over all axes of a sample."""
