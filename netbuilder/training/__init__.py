"""Training: loop, step, evaluation and checkpoints; it yields records and prints nothing."""

from netbuilder.training.evaluation import Evaluation as Evaluation
from netbuilder.training.evaluation import evaluate as evaluate
from netbuilder.training.loop import EpochEnded as EpochEnded
from netbuilder.training.loop import Finished as Finished
from netbuilder.training.loop import Record as Record
from netbuilder.training.loop import Started as Started
from netbuilder.training.loop import Stepped as Stepped
from netbuilder.training.loop import resume as resume
from netbuilder.training.loop import train as train
