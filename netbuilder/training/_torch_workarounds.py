"""All uses of torch's private parts, each with its version, reason and gain.

Each one detects the part that it needs, and does nothing, or uses the public API, where a version
of torch lacks it. Start-up times are the minimum of 7 alternating runs each, from the start of
Python to the end of the first step, on 2 cores of a server's CPU with torch 2.14: 1.64 s with both
`defer_compiler_import` and `plain_update`, 3.15 s without.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer


def defer_compiler_import() -> None:
    """Keep the methods of optimizers from importing torch's compiler at their first call.

    torch 2.11 to 2.14: methods with the decorator ``torch._disable_dynamo`` import
    ``torch._dynamo`` at their first call, to exclude themselves from compilation. They cache the
    result as ``__dynamo_disable`` on the function; setting it to the function itself skips the
    import, which only matters to code that compiles an optimizer. Start-up without: 2.51 s.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = getattr(Optimizer, name, None)
        function = getattr(method, "__wrapped__", None)
        if inspect.isfunction(function):
            function.__dict__.setdefault("__dynamo_disable", function)


def plain_update(optimizer: Optimizer) -> Callable[[], object]:
    """Return a function that does what ``optimizer.step()`` does, without hooks and profiling.

    torch 2.11 to 2.14: the wrappers around ``step`` import ``torch._dynamo``. The innermost
    function is called instead. Schedulers warn unless ``_opt_called`` is set, which their own
    wrapper around ``step`` does otherwise. Start-up without: 2.27 s.
    """
    wrapped = type(optimizer).step
    update = inspect.unwrap(wrapped)
    if update is wrapped or list(inspect.signature(update).parameters)[:1] != ["self"]:
        return optimizer.step
    optimizer._opt_called = True  # type: ignore[attr-defined]

    @torch.no_grad()
    def run() -> None:
        update(optimizer)

    return run


def skip_updates_if(optimizer: Optimizer, flag: Tensor) -> None:
    """Make a fused optimizer skip its updates while ``flag``, a float32 scalar, is 1.

    torch 2.11 to 2.14: fused optimizers read ``found_inf``, which `torch.amp.GradScaler` sets.
    Avoids a transfer to the host in each step. Where torch ignores the attribute, a loss that is
    not finite spoils the weights in memory, but still ends the run before these are saved.
    """
    optimizer.found_inf = flag  # type: ignore[attr-defined]


def has_avx512_bf16() -> bool:
    """Whether the CPU has bfloat16 instructions; False if torch does not know.

    torch 2.11 to 2.14: the function is private. Autocast with emulated bfloat16 is slower than
    float32.
    """
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported()) if supported is not None else False
