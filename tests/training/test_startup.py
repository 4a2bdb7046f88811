"""Start-up time, and the workarounds for torch's private parts that shorten it."""

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


def test_a_run_without_compilation_does_not_load_the_compiler(tmp_path: Path) -> None:
    """It loads neither torchvision nor matplotlib, from the start to the last save."""
    process = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=HELPERS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert process.stdout == "\n"


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        ("summarize archs/iter10.yaml", {"netbuilder.runs.run"}),
        ("check archs/iter10.yaml", {"netbuilder.runs.run", "netbuilder.network.lint.parameters"}),
        ("runs archs/results", {"yaml", "netbuilder.config.loader", "netbuilder.network.analysis"}),
    ],
)
def test_a_looking_command_imports_only_its_own_modules(command: str, absent: set[str]) -> None:
    """Commands on documents load no module of runs, and a list of runs loads no document."""
    code = (
        "import sys\n"
        "from netbuilder.cli._app import app\n"
        f"app({command.split()!r}, standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert absent & set(process.stdout.splitlines()[-1].split()) == set()


@pytest.mark.parametrize("kind", OPTIMIZERS.kinds.values(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.filterwarnings("error")
def test_the_plain_update_equals_step(kind: type[Optimizer], fused: bool) -> None:
    """Weights and learning rates equal those of ``step()``, and schedules do not warn."""
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


def test_training_does_not_depend_on_torchs_private_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workarounds have no effect, and the weights are the same."""
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
    plain, _ = run_until_stopped(run)
    assert fingerprint(folder) == fingerprint(plain)


def test_a_single_module_uses_torchs_private_parts() -> None:
    """No other module names a private attribute of torch."""
    private = re.compile(r"^[^#\n]*(\btorch\.(\w+\.)*_[a-z]|_opt_called|found_inf|__dynamo)", re.M)
    package = Path(netbuilder.__file__).parent
    users = {path.name for path in package.rglob("*.py") if private.search(path.read_text())}
    assert users == {"_torch_workarounds.py"}
