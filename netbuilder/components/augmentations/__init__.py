"""Augmentations: torchvision's names, arguments and defaults, one draw per sample."""
