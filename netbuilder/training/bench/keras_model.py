"""Translate the network of a document to Keras 3, for the kinds of plain networks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from netbuilder.config.schema import Architecture
from netbuilder.data.open import open_dataset
from netbuilder.data.transforms import normalize, to_unit
from netbuilder.errors import ConfigError
from netbuilder.network.analysis import analyse
from netbuilder.training.bench.handover import iterate_steps


def fit_steps(architecture: Architecture, data_dir: Path | None, backend: str) -> Iterator[int]:
    """Train by ``model.fit`` on arrays in memory, channels last, with SGD."""
    os.environ["KERAS_BACKEND"] = backend
    import keras

    config = architecture.trained
    data = open_dataset(config.dataset, data_dir)
    unit = normalize(to_unit(data.train_images), config.dataset.mean, config.dataset.std)
    images = unit.permute(0, 2, 3, 1).contiguous().numpy()
    labels = data.train_labels.numpy()
    model = network(architecture, keras)
    arguments = config.optimizer.arguments()
    model.compile(
        optimizer=keras.optimizers.SGD(arguments["lr"], arguments.get("momentum", 0.0)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def fit(report: Callable[[int], None]) -> None:
        size = config.batch_size
        callback = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda index, logs: report(size)
        )
        model.fit(images, labels, batch_size=size, epochs=10**6, verbose=0, callbacks=[callback])

    yield from iterate_steps(fit)


def network(architecture: Architecture, keras: Any) -> Any:
    """Build the Keras model of a sequence of layers.

    Raises:
        ConfigError: A layer is of a kind that cannot be translated.
    """
    layers = [keras.Input((*architecture.input[1:], architecture.input[0]))]
    for row in analyse(architecture).rows:
        arguments = row.arguments
        match row.kind:
            case "Conv2d":
                padding = "same" if arguments["padding"] == "same" else "valid"
                if arguments["padding"] not in ("same", "valid", (0, 0)):
                    layers.append(keras.layers.ZeroPadding2D(arguments["padding"]))
                layers.append(
                    keras.layers.Conv2D(
                        arguments["out_channels"],
                        arguments["kernel_size"],
                        strides=arguments["stride"],
                        padding=padding,
                        dilation_rate=arguments["dilation"],
                        groups=arguments["groups"],
                        use_bias=arguments["bias"],
                    )
                )
            case "BatchNorm2d" | "BatchNorm1d":
                layers.append(
                    keras.layers.BatchNormalization(momentum=0.9, epsilon=arguments["eps"])
                )
            case "ReLU":
                layers.append(keras.layers.ReLU())
            case "Dropout" | "Dropout2d":
                layers.append(keras.layers.Dropout(arguments["p"]))
            case "MaxPool2d":
                layers.append(
                    keras.layers.MaxPooling2D(arguments["kernel_size"], arguments["stride"])
                )
            case "AvgPool2d":
                layers.append(
                    keras.layers.AveragePooling2D(arguments["kernel_size"], arguments["stride"])
                )
            case "AdaptiveAvgPool2d" if set(arguments["output_size"]) == {1}:
                layers.append(keras.layers.GlobalAveragePooling2D(keepdims=True))
            case "Flatten" | "Identity" | "LogSoftmax":
                layers += [keras.layers.Flatten()] if row.kind == "Flatten" else []
            case "Linear":
                layers.append(
                    keras.layers.Dense(arguments["out_features"], use_bias=arguments["bias"])
                )
            case other:
                raise ConfigError(
                    f"layer {row.path}, {other}, cannot be translated to Keras; "
                    "remove Keras from --peers"
                )
    return keras.Sequential([*layers, keras.layers.Flatten()])
