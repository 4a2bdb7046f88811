"""Compare an imported network with that of its document, on random batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuilder.config.schema import Architecture
from netbuilder.errors import ConfigError
from netbuilder.network.build import build
from netbuilder.network.foreign_modules import (
    attributes,
    children,
    named_modules,
    tensors,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 2
"""The samples of a batch; batch statistics need more than one."""

TOLERANCE = 1e-9
"""The largest difference relative to the largest output; float64 sums in any order differ less."""


def require_equal_output(model: nn.Module, architecture: Architecture) -> None:
    """Compare both networks with the same weights in training mode.

    Evaluation mode follows from the classes and attributes of modules, which are compared before.

    Raises:
        ConfigError: Their outputs differ, or a network fails.
    """
    import torch

    rebuilt = build(architecture).double()
    original = _replica(model)
    with torch.no_grad():
        networks = zip(*map(named_modules, (model, original, rebuilt)), strict=True)
        for (_, source), (_, copy), (_, own) in networks:
            for table in ("_parameters", "_buffers"):
                copies, owned = tensors(copy, table), tensors(own, table)
                for name, tensor in tensors(source, table).items():
                    # A tensor on the meta device has no values.
                    target, value = (copies, owned) if tensor.is_meta else (owned, copies)
                    target[name].copy_(value[name])
        generator = torch.Generator().manual_seed(0)
        shape = (BATCH, *architecture.input)
        batch = torch.randn(shape, generator=generator, dtype=torch.float64)
        expected, actual = (_output(network, batch) for network in (original, rebuilt))
    if not _are_close(expected, actual):
        raise ConfigError(
            f"{architecture.name}: its output differs from that of its layers; construct its "
            "modules anew"
        )


def _output(network: nn.Module, batch: Tensor) -> Tensor:
    """Return the output of a network in training mode, from a fixed seed."""
    import torch

    for _, module in named_modules(network):
        object.__getattribute__(module, "__dict__")["training"] = True
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        output: Tensor = network(batch.clone())
    return output


def _are_close(expected: Tensor, actual: Tensor) -> bool:
    import torch

    finite = expected[expected.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 0.0
    return expected.shape == actual.shape and torch.allclose(
        expected, actual, rtol=TOLERANCE, atol=TOLERANCE * max(1.0, scale), equal_nan=True
    )


def _replica(module: nn.Module) -> Any:
    """Return a copy of a module in float64 on the CPU; only its tensors are copied.

    Unlike a deep copy, it runs no code of the module's attributes, which can be locks.
    """
    import torch
    from torch import nn

    replica = object.__new__(type(module))
    values = attributes(module)
    copies: dict[str, Any] = {"_modules": {}}
    for name, child in children(module).items():
        copies["_modules"][name] = None if child is None else _replica(child)
    for table in ("_parameters", "_buffers"):
        known = tensors(module, table)
        copies[table] = {name: known.get(name) for name in values.get(table) or {}}
        for name, tensor in known.items():
            kind = torch.float64 if tensor.is_floating_point() else tensor.dtype
            copy = torch.zeros(tensor.shape, dtype=kind)
            if not tensor.is_meta:
                copy.copy_(tensor.detach())
            is_parameter = table == "_parameters"
            copies[table][name] = nn.Parameter(copy, False) if is_parameter else copy
    object.__getattribute__(replica, "__dict__").update(
        values | copies | {"_compiled_call_impl": None}
    )
    return replica
