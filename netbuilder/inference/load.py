"""Load the weights of a run."""

from __future__ import annotations

from torch import nn

from netbuilder._text import printable
from netbuilder._text.commands import command, resume_command
from netbuilder.errors import CheckpointError
from netbuilder.network.build import build
from netbuilder.runs.run import Run
from netbuilder.training.checkpoint import UNREADABLE, bytes_of, load_weights


def load_model(run: Run, which: str) -> nn.Sequential:
    """Return the network with the run's weights, ``best`` or ``last``, on the CPU.

    Raises:
        ConfigError: A record of the run is damaged.
        CheckpointError: The file of weights is missing or damaged.
    """
    path = run.path / f"{which}.safetensors"
    model = build(run.analysis)
    try:
        limit = 2 * bytes_of(model.state_dict().values()) + (64 << 20)
        model.load_state_dict(load_weights(path, limit=limit))
    except FileNotFoundError:
        message = (
            "no such file; the run has not finished an epoch. "
            f"Resume it with: {resume_command(run.path)}"
        )
        if run.metrics:  # records may be published without weights
            message = (
                "no such file; the folder has the run's records without its weights. "
                f"Train it again with: {_training(run)}"
            )
        raise CheckpointError(f"{printable(str(path))}: {message}") from None
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:150]
        other = "last" if which == "best" else "best"
        exists = path.with_name(f"{other}.safetensors").is_file()
        hint = f"use --weights {other}" if exists else f"train again with: {_training(run)}"
        message = f"{printable(str(path))}: cannot be loaded: {printable(reason)}; {hint}"
        raise CheckpointError(message) from None
    return model


def _training(run: Run) -> str:
    """Return the command that trains the document of a run again with its seed."""
    seed = str(run.config.seed) if run.config.seed else None
    return command("train", run.path / "architecture.yaml", seed=seed)
