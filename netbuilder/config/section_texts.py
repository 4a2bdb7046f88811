"""What each field of a document's sections means, for the JSON Schema."""

from __future__ import annotations

from netbuilder.components.field_texts import FieldText

_F = FieldText

_BOUND = {
    "below": _F("Must be below this", example=8000, null="no bound"),
    "at_most": _F("Must be at most this", example=8000, null="no bound"),
    "above": _F("Must be above this", example=0, null="no bound"),
    "at_least": _F("Must be at least this", example=1, null="no bound"),
}
_ACCURACY = {
    "below": _F("Must be below this", "percent", 99.9, "no bound"),
    "at_most": _F("Must be at most this", "percent", 99.9, "no bound"),
    "above": _F("Must be above this", "percent", 99, "no bound"),
    "at_least": _F("Must be at least this", "percent", 99.4, "no bound"),
}
_FIELD = {
    "below": _F("Must be below this, on every axis or per axis", "pixels", 28, "no bound"),
    "at_most": _F("Must be at most this, on every axis or per axis", "pixels", 28,
                  "no bound"),
    "above": _F("Must be above this, on every axis or per axis", "pixels", 20,
                "no bound"),
    "at_least": _F("Must be at least this, on every axis or per axis", "pixels", 28,
                   "no bound"),
}  # fmt: skip
_DIGITS = {"dataset": "mnist", "epochs": 10, "optimizer": {"SGD": {"lr": 0.1}}}

TEXTS: dict[str, dict[str, FieldText]] = {
    "Architecture": {
        "name": _F("Name of the architecture and of its run folder", example="small"),
        "title": _F("What is new about it, in a few words", example="First network"),
        "input": _F("Shape of one sample: channels, height and width of an image",
                    "channels, then positions", [1, 28, 28]),
        "layers": _F("The network: its layers, in sequence", example=["Flatten"]),
        "init": _F("How the weights of convolutions and matrix products are initialized",
                   example="kaiming_normal", null="torch's own initialization"),
        "train": _F("How the network is trained", example=_DIGITS, null="no training"),
        "targets": _F("What the network must reach", example={"parameters": {"below": 8000}},
                      null="no targets"),
        "reference": _F("Published results to compare runs with, the best of a run",
                        example={"test_accuracy": 99.4}, null="none"),
        "notes": _F("The author's notes", example={"target": "Reach 99.4 % within 15 epochs."},
                    null="empty"),
        "include": _F("Files in the folder of the document that define values and blocks",
                      example="blocks.yaml", null="none"),
        "values": _F("Named numbers, strings and booleans, for ${...}", example={"width": 16},
                     null="none"),
        "blocks": _F("Named lists of layers with parameters",
                     example={"stage": {"parameters": {"width": 16}, "layers": ["ReLU"]}},
                     null="none"),
    },
    "TrainConfig": {
        "dataset": _F("Images that the network is trained and tested on", example="mnist"),
        "epochs": _F("Passes over the training images", "epochs", 10),
        "batch_size": _F("Images per step", "images"),
        "loss": _F("What training minimizes", example="CrossEntropyLoss", null="CrossEntropyLoss"),
        "optimizer": _F("How a step changes the weights", example="SGD"),
        "scheduler": _F("How the learning rate changes; a LinearLR warm-up may come before another",
                        example={"OneCycleLR": {"max_lr": 0.1}}, null="a constant rate"),
        "augment": _F("Random changes of the training images, in sequence",
                      example=["RandomErasing"], null="none"),
        "ema": _F("Decay per step of an average of the weights, which is then tested and saved",
                  example=0.998, null="no average"),
    },
    "Targets": {
        "parameters": _F("Bounds of the number of parameters", example={"below": 8000},
                         null="none"),
        "receptive_field": _F("Bounds of the receptive field of the last layer",
                              example={"at_least": 28}, null="none"),
        "epochs": _F("Bounds of the number of epochs", example={"at_most": 15}, null="none"),
        "train_accuracy": _F("Bounds of the training accuracy", example={"at_least": 99},
                             null="none"),
        "test_accuracy": _F("Bounds of the test accuracy", example={"at_least": 99.4},
                            null="none"),
    },
    "Bound": _BOUND,
    "AccuracyTarget": _ACCURACY | {
        "for_last_epochs": _F("How many of the last epochs must all meet the bounds", "epochs"),
    },
    "FieldBound": _FIELD,
    "Reference": {
        "parameters": _F("Published number of parameters", "parameters", 10_000, "none"),
        "train_accuracy": _F("Published training accuracy", "percent", 99.0, "none"),
        "test_accuracy": _F("Published test accuracy", "percent", 99.0, "none"),
    },
    "Notes": {
        "target": _F("What the network should reach", example="Reach 99.4 %."),
        "choices": _F("What was chosen, and why", example="Three convolutions."),
        "analysis": _F("What the runs show", example="The target is met."),
        "learned": _F("What earlier documents showed", example="A wider network overfits."),
    },
    "ByParameter": {
        "weight": _F("How the weight is initialized", example="kaiming_normal",
                     null="torch's own initialization"),
        "bias": _F("How the bias is initialized", example="zeros",
                   null="torch's own initialization"),
    },
    "Repeat": {
        "times": _F("How often the layers are repeated", "repetitions", 2),
        "index": _F("Name of the number of the repetition, from 0, for ${...}", example="i",
                    null="none"),
        "layers": _F("Layers that are repeated", example=["ReLU"]),
    },
    "Block": {
        "parameters": _F("Named values that the layers use; null has no default",
                         example={"width": 16}, null="none"),
        "layers": _F("Layers of the block", example=["ReLU"]),
    },
}  # fmt: skip
"""The texts of each section, by the name of its class and of its field."""

TITLES = {
    "TrainConfig": "train",
    "Targets": "targets",
    "Bound": "bounds",
    "AccuracyTarget": "bounds of an accuracy",
    "FieldBound": "bounds of the receptive field",
    "Reference": "reference",
    "Notes": "notes",
    "ByParameter": "initializers by parameter",
    "Repeat": "Repeat",
    "Block": "block",
}
"""What editors call a section."""
