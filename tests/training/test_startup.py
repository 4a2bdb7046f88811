"""Start-up, and the workarounds for torch internals that shorten it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from paths import HELPERS, ROOT
from small import fingerprint, run_until_stopped, small

import netbuilder
from netbuilder.components.optimizers import Optimizer
from netbuilder.components.registries import OPTIMIZERS
from netbuilder.training._torch_workarounds import (
    defer_compiler_import,
    has_avx512_bf16,
    plain_update,
)
from netbuilder.training.loop import train

CODE = """
import sys
from small import run_until_stopped, small
from netbuilder.training.loop import train
run_until_stopped(train(small("train.epochs=1"), out=sys.argv[1], compile="off"))
heavy = {"torch._dynamo", "torch._inductor", "sympy", "torchvision", "matplotlib"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_a_run_that_is_not_compiled_loads_no_compiler(tmp_path: Path) -> None:
    """Nor torchvision, nor what draws: from the start to the last save."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=HELPERS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "\n"


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("summarize archs/iter10.yaml", {"netbuilder.runs.run"}),
        ("check archs/iter10.yaml", {"netbuilder.runs.run", "netbuilder.network.lint"}),
        ("runs archs/results", {"yaml", "netbuilder.config.loader", "netbuilder.network.analysis"}),
    ],
)
def test_a_look_imports_what_it_shows(command: str, absent: set[str]) -> None:
    """Documents need no run, and a list of runs needs no document."""
    code = (
        "import sys\n"
        "from netbuilder.cli._app import app\n"
        f"app({command.split()!r}, standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert absent & set(done.stdout.splitlines()[-1].split()) == set()


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds.values(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.filterwarnings("error")
def test_the_plain_update_equals_step(kind: type[Optimizer], fused: bool) -> None:
    """Weights and learning rate are those of ``step()``, and schedules do not warn."""
    results = []
    for plain in (False, True):
        torch.manual_seed(0)
        model = torch.nn.Linear(5, 3)
        optimizer = kind(lr=0.1).build(model.parameters(), fused=fused)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
        update = plain_update(optimizer) if plain else optimizer.step
        for _ in range(5):
            model(torch.ones(2, 5)).square().sum().backward()
            update()
            optimizer.zero_grad()
            schedule.step()
        assert all(parameter.requires_grad for parameter in model.parameters())
        results.append((model.weight.detach().clone(), schedule.get_last_lr()))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


def test_a_torch_without_the_private_parts_trains_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workarounds do nothing there, and the weights are the same."""
    folder, _ = run_until_stopped(train(small("train.epochs=1"), out=tmp_path / "a", device="cpu"))
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        method = getattr(torch.optim.Optimizer, name)
        monkeypatch.setattr(torch.optim.Optimizer, name, method.__wrapped__)
    step = torch.optim.SGD.step

    def opaque_step(self: torch.optim.SGD, closure: None = None) -> object:
        return step(self, closure)

    opaque_step.hooked = True  # type: ignore[attr-defined]  # torch's mark of a wrapped step
    monkeypatch.setattr(torch.optim.SGD, "step", opaque_step)
    optimizer = torch.optim.SGD([torch.ones(1)])
    assert plain_update(optimizer) == optimizer.step
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not has_avx512_bf16()
    defer_compiler_import()
    precision = json.loads((folder / "config.json").read_text())["precision"]
    run = train(small("train.epochs=1"), out=tmp_path / "b", device="cpu", precision=precision)
    other, _ = run_until_stopped(run)
    assert fingerprint(folder) == fingerprint(other)


def test_private_parts_of_torch_are_used_in_one_module() -> None:
    """Nowhere else, so that a new version of torch is one module's concern."""
    private = re.compile(r"^[^#\n]*(\btorch\.(\w+\.)*_[a-z]|_opt_called|found_inf|__dynamo)", re.M)
    package = Path(netbuilder.__file__).parent
    users = {path.name for path in package.rglob("*.py") if private.search(path.read_text())}
    assert users == {"_torch_workarounds.py"}
