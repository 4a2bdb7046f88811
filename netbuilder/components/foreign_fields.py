"""Names of fields that documents do not use: those of Keras, Hydra, Lightning and torch's loops.

It is imported only for a message about an unknown field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# fmt: off

_LAYER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("filters", "out_planes", "out_ch", "channels", "planes", "out", "num_filters",
                     "nb_filter", "n_filters", "out_dim", "units", "num_outputs", "outputs",
                     "out_size", "features", "width", "c"),
                    ("out_channels", "out_features")),
    **dict.fromkeys(("kernel", "k", "ksize", "kernel_shape", "pool_size", "filter_size", "window",
                     "size", "kernel_sizes"), ("kernel_size",)),
    **dict.fromkeys(("strides", "s", "subsample"), ("stride",)),
    **dict.fromkeys(("pad", "p", "zero_padding", "pads"), ("padding",)),
    "use_bias": ("bias",), "dilation_rate": ("dilation",), "dilations": ("dilation",),
    **dict.fromkeys(("group", "n_groups", "cardinality"), ("groups", "num_groups")),
    **dict.fromkeys(("rate", "prob", "probability", "drop_rate", "dropout", "drop_prob"),
                    ("p",)),
    **dict.fromkeys(("alpha", "slope", "negative_input_slope"), ("negative_slope",)),
    "epsilon": ("eps",),
    **dict.fromkeys(("scale", "center"), ("scale_factor", "affine", "elementwise_affine")),
    **dict.fromkeys(("factor", "scales"), ("scale_factor",)),
    "interpolation": ("mode",), "axis": ("dim",), "axes": ("dims",),
    **dict.fromkeys(("shape", "target_shape"), ("unflattened_size", "normalized_shape", "size")),
    **dict.fromkeys(("kernel_initializer", "weight_init", "initializer", "weights_init"),
                    ("init",)),
    **dict.fromkeys(("mode", "merge", "op"), ("join",)),
    **dict.fromkeys(("modules", "children", "stages"), ("layers", "branches", "body")),
    **dict.fromkeys(("block", "main"), ("body",)), "skip": ("shortcut",),
    "downsample": ("shortcut",),
}

_TRAIN = {
    **dict.fromkeys(("criterion", "loss_fn", "loss_function", "objective"), "loss"),
    **dict.fromkeys(("transforms", "transform", "augmentations", "augmentation",
                     "data_augmentation", "train_transforms"), "augment"),
    **dict.fromkeys(("data", "data_set", "datamodule"), "dataset"),
    **dict.fromkeys(("bs", "batch", "batchsize", "train_batch_size"), "batch_size"),
    **dict.fromkeys(("n_epochs", "num_epochs", "max_epochs", "nb_epoch"), "epochs"),
    **dict.fromkeys(("lr_scheduler", "schedule", "sched", "lr_schedule"), "scheduler"),
    **dict.fromkeys(("optim", "opt", "optimiser"), "optimizer"),
    "ema_decay": "ema", "model_ema": "ema",
}

_BOUND = {
    **dict.fromkeys(("min", "minimum", "ge", "gte", ">=", "at_minimum"), "at_least"),
    **dict.fromkeys(("max", "maximum", "le", "lte", "<=", "at_maximum"), "at_most"),
    **dict.fromkeys(("less_than", "lt", "<", "under"), "below"),
    **dict.fromkeys(("greater_than", "gt", "more_than", ">", "over"), "above"),
}

_TOP = {
    **dict.fromkeys(("model", "net", "network", "architecture", "backbone", "modules", "layer",
                     "nn", "arch"), "layers"),
    **dict.fromkeys(("input_shape", "input_size", "shape", "in_shape", "inputs", "input_dim"),
                    "input"),
    **dict.fromkeys(("training", "trainer", "fit", "hyperparameters"), "train"),
    **dict.fromkeys(("description", "desc"), "title"),
    **dict.fromkeys(("variables", "vars", "params", "parameters", "constants", "hparams",
                     "config"), "values"),
    **dict.fromkeys(("templates", "macros", "definitions", "functions"), "blocks"),
    **dict.fromkeys(("imports", "import", "defaults"), "include"),
    **dict.fromkeys(("goals", "constraints", "requirements", "limits"), "targets"),
    **dict.fromkeys(("initializer", "weights_init", "weight_init"), "init"),
}

_WORDS: dict[str, Mapping[str, str | tuple[str, ...]]] = {
    "layer": _LAYER,
    "optimizer": {
        **dict.fromkeys(("learning_rate", "eta", "alpha", "step_size"), "lr"),
        **dict.fromkeys(("decay", "wd", "l2", "weight_decay_rate"), "weight_decay"),
        **dict.fromkeys(("beta_1", "beta_2", "beta1", "beta2", "beta"), "betas"),
        "rho": "alpha", "epsilon": "eps",
    },
    "scheduler": {
        **dict.fromkeys(("step", "steps", "decay_steps", "boundaries", "epochs"),
                        ("step_size", "milestones", "T_max")),
        **dict.fromkeys(("t_max", "T_0", "max_epochs", "period"), "T_max"),
        **dict.fromkeys(("min_lr", "alpha", "min_rate"), ("eta_min",)),
        **dict.fromkeys(("decay", "decay_rate", "rate"), ("gamma", "factor")),
        "warmup_epochs": "total_iters", "warmup": ("total_iters", "pct_start"),
        "lr": "max_lr", "learning_rate": "max_lr",
    },
    "augmentation": {
        **dict.fromkeys(("prob", "probability"), "p"),
        **dict.fromkeys(("angle", "angles", "limit"), "degrees"),
        "pad": "padding", "shift": "translate", "zoom": "scale", "crop_size": "size",
    },
    "Architecture": _TOP,
    "TrainConfig": _TRAIN,
    "Targets": {
        **dict.fromkeys(("params", "num_params", "size"), "parameters"), "rf": "receptive_field",
        **dict.fromkeys(("accuracy", "acc", "test_acc", "val_accuracy", "val_acc"),
                        "test_accuracy"),
        "train_acc": "train_accuracy",
    },
    **dict.fromkeys(("Bound", "AccuracyTarget", "FieldBound"), _BOUND),
}
"""The fields to write, by section; of several, the first that the section has."""

_OPTIONS = {
    **dict.fromkeys(("seed", "seed_everything", "random_seed", "manual_seed"), "--seed"),
    **dict.fromkeys(("device", "accelerator", "gpu", "gpus", "cuda", "devices"), "--device"),
    **dict.fromkeys(("precision", "amp", "fp16", "dtype", "mixed_precision"), "--precision"),
    **dict.fromkeys(("deterministic",), "--deterministic"), "compile": "--compile",
    **dict.fromkeys(("logger", "loggers", "logging"), "--logger"),
    **dict.fromkeys(("root", "data_dir", "data_root", "data_path"), "--data-dir"),
    **dict.fromkeys(("output_dir", "log_dir", "save_dir", "default_root_dir"), "--out"),
    **dict.fromkeys(("resume", "ckpt_path", "checkpoint"), "--resume"),
}
"""Settings of a run that are options of `netbuilder train`."""

_OPTIMIZER_FIELDS = ("lr", "learning_rate", "momentum", "weight_decay", "betas", "nesterov", "wd")

_INFERRED = (
    "in_planes", "inplanes", "in_ch", "in_dim", "input_dim", "in_size", "n_in", "num_inputs",
    "in_filters",
)
"""Other words for the sizes that documents do not have."""

_LOADER = ("num_workers", "pin_memory", "shuffle", "drop_last", "download", "prefetch")

_SENTENCES: dict[str, dict[str, str]] = {
    "layer": {
        "activation": "an activation is a layer of its own; move it after this layer",
        "input_shape": "the size of its input is inferred; remove it",
        "kernel_regularizer": "write weight_decay of the optimizer",
        "weight_decay": "write weight_decay of the optimizer",
        "name": "only a Sequential has a name; remove it",
        **dict.fromkeys(("trainable", "requires_grad"), "every layer is trained; remove it"),
        **dict.fromkeys(("data_format", "channels_last"), "channels come first; remove it"),
        **dict.fromkeys(_INFERRED, "it is inferred from the layer before; remove it"),
    },
    "optimizer": dict.fromkeys(
        ("params", "parameters"), "an optimizer has all parameters of the network; remove it"),
    "scheduler": {
        "optimizer": "a scheduler has the optimizer of the train section; remove it",
        **dict.fromkeys(("steps_per_epoch", "total_steps", "epochs"),
                        "it follows from epochs and batch_size; remove it"),
        **dict.fromkeys(("last_epoch", "verbose"), "a run keeps track of it; remove it"),
    },
    "data set": {
        **dict.fromkeys(("train", "split"), "a run uses both parts; remove it"),
        **dict.fromkeys(("transform", "transforms"), "write augment in the train section"),
        "batch_size": "write batch_size in the train section",
        **dict.fromkeys(_LOADER, "a run needs no loader settings; remove it"),
    },
    "TrainConfig": {
        **dict.fromkeys(_LOADER, "a run needs no loader settings; remove it"),
        "metrics": "loss and accuracy are always measured; remove it",
        "steps_per_epoch": "an epoch is the whole training set; remove it",
        **dict.fromkeys(("val_split", "validation_split", "validation", "val"),
                        "each epoch ends with the test set; remove it"),
        **dict.fromkeys(("callbacks", "checkpoints", "checkpointing"),
                        "every epoch saves a checkpoint; remove it"),
        "init": "move it to the top level of the document",
    },
    "Architecture": {
        **dict.fromkeys(("_target_", "class_path", "class_name", "_args_", "init_args"),
                        "a document lists its layers by name under layers"),
        **dict.fromkeys(("num_classes", "classes", "n_classes"),
                        "the last layer has one output per class; remove it"),
        **dict.fromkeys(("version", "$schema", "schema"), "remove it"),
    },
}
"""What to do about fields that have no other name."""

# fmt: on


def foreign_field(section: str, name: str, fields: Iterable[str]) -> str:
    """Return the end of a message about a field from elsewhere; empty if it is not one.

    Args:
        section: The class of the section, or what messages call the family of a kind.
        name: The unknown field.
        fields: The fields of the section or of the kind.
    """
    known = tuple(fields)
    words = _WORDS.get(section, {}).get(name, ())
    for word in (words,) if isinstance(words, str) else words:
        if word in known:
            return f"; write {word}"
    if sentence := _SENTENCES.get(section, {}).get(name):
        return f"; {sentence}"
    if section == "Architecture" and (name in _TRAIN or name in _TRAIN.values()):
        right = _TRAIN.get(name, name)
        return f"; write {right} in the train section"
    if section in ("Architecture", "TrainConfig") and name in _OPTIMIZER_FIELDS:
        field = {"learning_rate": "lr", "wd": "weight_decay"}.get(name, name)
        return f"; write {field} of the optimizer: optimizer: {{SGD: {{{field}: ...}}}}"
    if name.isdigit():
        return "; a list has brackets, and a number a decimal point"
    if option := _OPTIONS.get(name):
        return f"; it is the option {option} of netbuilder train; remove it"
    return ""
