"""How fast networks train here, beside other ways of training them."""

from netbuilder.bench.rounds import Measurement as Measurement
from netbuilder.bench.rounds import Turn as Turn
from netbuilder.bench.rounds import measure as measure
