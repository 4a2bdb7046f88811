"""Commands and options of other tools, with the words of this command line.

It is imported only for a message about an unknown command or option.
"""

from __future__ import annotations

from collections.abc import Iterable

COMMANDS = {
    **dict.fromkeys(("fit", "run", "start"), "train"),
    "resume": "train --resume RUN",
    **dict.fromkeys(("test", "eval"), "evaluate"),
    **dict.fromkeys(("validate", "lint", "verify"), "check"),
    **dict.fromkeys(("infer", "classify"), "predict"),
    **dict.fromkeys(("init", "create", "add"), "new"),
    **dict.fromkeys(("ls", "list", "history"), "runs"),
    **dict.fromkeys(("show", "info", "view", "print"), "summarize"),
    **dict.fromkeys(("convert", "save"), "export"),
    **dict.fromkeys(("benchmark", "profile"), "bench"),
    **dict.fromkeys(("docs", "doc", "man"), "guide"),
    "help": "--help",
}
"""The commands that do what commands of other tools do."""

OPTIONS = {
    **dict.fromkeys(("--lr", "--learning-rate"), "--set train.optimizer.SGD.lr=0.1"),
    **dict.fromkeys(("--batch-size", "--bs", "--batch"), "--set train.batch_size=64"),
    **dict.fromkeys(("--optimizer", "--optim"), "--set train.optimizer=Adam"),
    **dict.fromkeys(("--scheduler", "--lr-scheduler"), "--set train.scheduler=ReduceLROnPlateau"),
    "--momentum": "--set train.optimizer.SGD.momentum=0.9",
    **dict.fromkeys(("--weight-decay", "--wd"), "--set train.optimizer.SGD.weight_decay=0.0001"),
    **dict.fromkeys(("--gpu", "--gpus", "--cuda", "--accelerator"), "--device cuda"),
    "--cpu": "--device cpu",
    **dict.fromkeys(("--amp", "--fp16", "--bf16", "--half"), "--precision bf16"),
    **dict.fromkeys(("--output", "--output-dir", "--log-dir", "--save-dir", "-o"), "--out"),
    **dict.fromkeys(("--overwrite", "--replace", "--yes", "-y", "-f"), "--force"),
    **dict.fromkeys(("--data", "--root", "--data-root", "--data-path"), "--data-dir"),
    **dict.fromkeys(("--max-epochs", "--num-epochs", "-e"), "--epochs"),
    **dict.fromkeys(("--override", "-D"), "--set"),
    "--tensorboard": "--logger tensorboard",
    "--json": "--format json",
}
"""The options that do what options of other tools do."""


def right_command(name: str) -> str:
    """Return the end of a message about a command of another tool; empty for others."""
    return f"; write {COMMANDS[name]}" if name in COMMANDS else ""


def right_option(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an option of another tool; empty for others.

    Args:
        name: The unknown option.
        known: The options of the command.
    """
    option, *_ = right = OPTIONS.get(name, "").split(" ")
    return f"; write {' '.join(right)}" if option and option in known else ""
