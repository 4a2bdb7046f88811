"""Analyze, build, compare and check networks without training them."""
