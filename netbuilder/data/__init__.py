"""Data sets: located, verified, cached and batched."""
