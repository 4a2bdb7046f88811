"""Data sets: download, verification, cache, batches."""
