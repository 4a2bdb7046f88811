"""Training: loop, step, evaluation and checkpoints; it yields records and prints nothing."""

from netbuilder.training.evaluation import Evaluation as Evaluation
from netbuilder.training.evaluation import evaluate as evaluate
from netbuilder.training.loop import prepare as prepare
from netbuilder.training.loop import resume as resume
from netbuilder.training.loop import train as train
from netbuilder.training.records import Compiling as Compiling
from netbuilder.training.records import EpochEnded as EpochEnded
from netbuilder.training.records import Finished as Finished
from netbuilder.training.records import Record as Record
from netbuilder.training.records import Started as Started
from netbuilder.training.records import Stepped as Stepped
