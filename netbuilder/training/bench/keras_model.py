"""A document's network in Keras 3, for the kinds that plain networks are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from netbuilder.config.schema import Architecture
from netbuilder.data.open import open_dataset
from netbuilder.data.transforms import normalise, to_unit
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.training.bench.handover import handed_over


def fitted(architecture: Architecture, data_dir: Path | None, backend: str) -> Iterator[int]:
    """``model.fit`` over arrays in memory, channels last, by SGD in the document's batches."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    config = architecture.trained
    data = open_dataset(config.dataset, data_dir)
    unit = normalise(to_unit(data.train_images), config.dataset.mean, config.dataset.std)
    images = unit.permute(0, 2, 3, 1).contiguous().numpy()
    labels = data.train_labels.numpy()
    model = network(architecture, keras)
    given = config.optimizer.arguments()
    model.compile(
        optimizer=keras.optimizers.SGD(given["lr"], given.get("momentum", 0.0)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def fit(report: Callable[[int], None]) -> None:
        size = config.batch_size
        told = keras.callbacks.LambdaCallback(on_train_batch_end=lambda index, logs: report(size))
        model.fit(images, labels, batch_size=size, epochs=10**6, verbose=0, callbacks=[told])

    yield from handed_over(fit)


def network(architecture: Architecture, keras: Any) -> Any:
    """The Keras model of a plain stack of layers.

    Raises:
        ConfigError: a layer is of a kind that is not translated.
    """
    made = [keras.Input((*architecture.input[1:], architecture.input[0]))]
    for row in analyse(architecture).rows:
        given = row.arguments
        match row.kind:
            case "Conv2d":
                padding = "same" if given["padding"] == "same" else "valid"
                if given["padding"] not in ("same", "valid", (0, 0)):
                    made.append(keras.layers.ZeroPadding2D(given["padding"]))
                made.append(
                    keras.layers.Conv2D(
                        given["out_channels"],
                        given["kernel_size"],
                        strides=given["stride"],
                        padding=padding,
                        dilation_rate=given["dilation"],
                        groups=given["groups"],
                        use_bias=given["bias"],
                    )
                )
            case "BatchNorm2d" | "BatchNorm1d":
                made.append(keras.layers.BatchNormalization(momentum=0.9, epsilon=given["eps"]))
            case "ReLU":
                made.append(keras.layers.ReLU())
            case "Dropout" | "Dropout2d":
                made.append(keras.layers.Dropout(given["p"]))
            case "MaxPool2d":
                made.append(keras.layers.MaxPooling2D(given["kernel_size"], given["stride"]))
            case "AvgPool2d":
                made.append(keras.layers.AveragePooling2D(given["kernel_size"], given["stride"]))
            case "AdaptiveAvgPool2d" if set(given["output_size"]) == {1}:
                made.append(keras.layers.GlobalAveragePooling2D(keepdims=True))
            case "Flatten" | "Identity" | "LogSoftmax":
                made += [keras.layers.Flatten()] if row.kind == "Flatten" else []
            case "Linear":
                made.append(keras.layers.Dense(given["out_features"], use_bias=given["bias"]))
            case other:
                raise ConfigError(
                    f"layer {row.path}, {other}, is not translated to Keras; "
                    "leave Keras out of --peers"
                )
    return keras.Sequential([*made, keras.layers.Flatten()])
