"""A trained run put to use: evaluate, predict, export."""
