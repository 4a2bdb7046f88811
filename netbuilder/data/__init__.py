"""Data sets by name: had, verified, kept as one file, and given out as uint8 tensors."""

from netbuilder.data.loaded import LoadedData as LoadedData
from netbuilder.data.opening import data_root as data_root
from netbuilder.data.opening import open_dataset as open_dataset
