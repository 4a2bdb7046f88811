"""Which layers ONNX has, as `check --for onnx` says, compared with torch's exporter."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from command import run
from layer_examples import EXAMPLES

from netbuilder.components.layers.base import LAYERS, Layer
from netbuilder.components.layers.container import Container
from netbuilder.components.shapes import Shape
from netbuilder.inference import export as exporting

LEAVES = [kind for kind in LAYERS.kinds.values() if not issubclass(kind, Container)]


@pytest.fixture(autouse=True)
def _packages(request: pytest.FixtureRequest) -> None:
    if "exporter" in request.node.name:
        for package in exporting.FORMATS["onnx"].packages:
            pytest.importorskip(package, reason="the extra onnx is not installed")


def export_fails(layer: Layer, x: Shape, path: Path) -> str:
    """Return why the export of a layer fails, or its outputs differ; empty if it works."""
    torch.manual_seed(0)
    module, batch = torch.nn.Sequential(layer.build(x)).eval(), torch.randn(3, *x)
    if layer.kind.startswith("LPPool"):  # odd norms of signed values are not defined
        batch = batch.abs()
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exporting._write_onnx(module, batch[:2], "{}", path)
            exporting._compare(module, exporting._read_onnx(path, module), batch, path)
    except Exception as error:  # exporters raise anything for an unsupported layer
        return exporting._reason(error)
    finally:
        logging.disable(logging.NOTSET)
    return ""


def compare_with_exporter(kind: str, arguments: Any, x: Shape, folder: Path) -> None:
    layer = LAYERS.parse({kind: arguments})
    reason = export_fails(layer, x, folder / "layer.onnx")
    assert bool(layer.onnx_obstacle(x)) == bool(reason), reason


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind.kind for kind in LEAVES])
def test_every_kind_is_exported_as_the_exporter_says(kind: str, tmp_path: Path) -> None:
    """A kind has an obstacle for an example exactly where its export fails or differs."""
    for arguments, x in EXAMPLES[kind]:
        compare_with_exporter(kind, arguments, x, tmp_path)


@pytest.mark.parametrize("kind", ["RReLU", "ReLU"])
def test_some_kinds_are_exported_as_the_exporter_says(kind: str, tmp_path: Path) -> None:
    """As the long test, for a kind that ONNX lacks and one that it has."""
    arguments, x = EXAMPLES[kind][0]
    compare_with_exporter(kind, arguments, x, tmp_path)


DOCUMENT = """\
name: a
input: [3, 6, 6]
layers:
  - Sequential:
      - Tanh
      - RReLU
  - Flatten
  - Linear: 10
"""


def test_check_lists_the_layers_that_onnx_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line has the place of the layer; without one, the document is ok."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(DOCUMENT)
    assert run("check", "net.yaml").code == 0
    result = run("check", "net.yaml", "--for", "onnx")
    assert (result.code, result.err) == (1, "")
    assert re.fullmatch(
        r"net\.yaml:6:9: layers\[0\]\.Sequential\S*RReLU: onnx cannot represent it: .*; replace "
        r"the layer, or export the network with --to torch-export\n",
        result.out,
    )
    data = run("check", "net.yaml", "--for", "onnx", "--format", "json").out
    assert '"onnx": [' in data
    Path("net.yaml").write_text(DOCUMENT.replace("RReLU", "ReLU"))
    assert run("check", "net.yaml", "--for", "onnx").out == "net.yaml: ok\n"


def test_a_kind_of_a_plugin_is_noted(plugin_folder: Path) -> None:
    """Only an export can tell whether ONNX has a kind that a plugin defines."""
    (plugin_folder / "bad.py").write_text(
        "from netbuilder.plugin import Elementwise\n\nclass Own(Elementwise):\n"
        "    def onnx_obstacle(self, x): raise SystemExit(0)\n"
    )
    (plugin_folder / "net.yaml").write_text(DOCUMENT.replace("RReLU", "Own"))
    result = run("check", "net.yaml", "--for", "onnx", "--plugin", "bad")
    assert (result.code, result.out) == (0, "net.yaml: ok\n")
    assert result.err == (
        "note: net.yaml: only an export shows whether ONNX can represent Own, which a plugin "
        "defines\n"
    )
