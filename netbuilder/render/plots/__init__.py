"""Plots, as PNG files."""
