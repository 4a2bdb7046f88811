"""What stands between the command and the first step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netbuilder.components.optimizers import Optimizer
from netbuilder.components.registries import OPTIMIZERS
from netbuilder.training.compile import bare_update

ROOT = Path(__file__).parents[1]
CODE = """
import sys
from small import run_until_stopped, small
from netbuilder.training import train
run_until_stopped(train(small("train.epochs=1"), out=sys.argv[1], compile="off"))
heavy = {"torch._dynamo", "torch._inductor", "sympy", "torchvision", "matplotlib"}
print(*sorted(heavy & set(sys.modules)))
"""


def test_a_run_that_is_not_compiled_loads_no_compiler(tmp_path: Path) -> None:
    """Nor torchvision, nor what draws: from the start to the last save."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
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
def test_the_bare_update_is_the_optimizers_own(kind: type[Optimizer], fused: bool) -> None:
    """Weights and learning rate are those of ``step()``, under a schedule that misses nothing."""
    found = []
    for bare in (False, True):
        torch.manual_seed(0)
        model = torch.nn.Linear(5, 3)
        optimizer = kind(lr=0.1).build(model.parameters(), fused=fused)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
        update = bare_update(optimizer) if bare else optimizer.step
        for _ in range(5):
            model(torch.ones(2, 5)).square().sum().backward()
            update()
            optimizer.zero_grad()
            schedule.step()
        assert all(parameter.requires_grad for parameter in model.parameters())
        found.append((model.weight.detach().clone(), schedule.get_last_lr()))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
