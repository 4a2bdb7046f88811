"""The registries of the families in the ``train`` section of documents.

The registry of layers is in `netbuilder.components.layers.base`, that of initializers in
`netbuilder.components.init`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from netbuilder.components import kinds
from netbuilder.components.registry import Registry

if TYPE_CHECKING:
    from netbuilder.components.augmentations.base import Augmentation
    from netbuilder.components.datasets import Dataset
    from netbuilder.components.losses import Loss
    from netbuilder.components.optimizers import Optimizer
    from netbuilder.components.schedulers import Scheduler
else:  # pydantic uses only the registries, which import kinds when they are used
    Augmentation = Dataset = Loss = Optimizer = Scheduler = Any

DATASETS: Registry[Dataset] = Registry("data set", kinds.DATASETS)
LOSSES: Registry[Loss] = Registry("loss", kinds.LOSSES)
OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", kinds.OPTIMIZERS)
SCHEDULERS: Registry[Scheduler] = Registry("scheduler", kinds.SCHEDULERS)
AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation", kinds.AUGMENTATIONS)

AnyDataset = Annotated[Dataset, DATASETS]
AnyLoss = Annotated[Loss, LOSSES]
AnyOptimizer = Annotated[Optimizer, OPTIMIZERS]
AnyScheduler = Annotated[Scheduler, SCHEDULERS]
AnyAugmentation = Annotated[Augmentation, AUGMENTATIONS]
