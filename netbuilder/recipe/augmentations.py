"""Augmentations by torchvision's names and arguments, each with the draw that it makes a sample."""
from netbuilder.component import Component
class Augmentation(Component):
    def problem(self, shape): return None
AUGMENTATIONS = ()
