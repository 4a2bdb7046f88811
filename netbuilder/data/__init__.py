"""Data sets by name: found or downloaded, verified, in memory as uint8, batched on the device."""

from netbuilder.data.loaded import LoadedData as LoadedData
from netbuilder.data.opening import data_root as data_root
from netbuilder.data.opening import open_dataset as open_dataset
