"""Every message of a failure ends with the next step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import run
from documents import SMALL

NEXT = re.compile(
    r"allowed: |did you mean |known: |example: netbuilder |usage: |--[a-z]+|`?netbuilder \w+|"
    r"[:;,] (or )?(add|change|check|choose|copy|crop|fix|give|leave|make|move|name|nest|put|remove|"
    r"repeat|save|set|swap|take|use|write)\b|a document (has|is) "
)
"""Forms of a next step: allowed values, a command, an option, or a verb."""

DOCUMENTS = {
    "small": SMALL,
    "broken": SMALL.replace("layers:", "layers: ["),
    "empty": "",
    "comments": "# nothing yet\n",
    "list": "- 3\n",
    "twice": SMALL + "name: again\n",
    "tag": SMALL.replace("small", "!x small"),
    "alias": SMALL.replace("Linear: 10", "Linear: *ten"),
    "tiny": SMALL.replace("MaxPool2d: 2", "MaxPool2d: 20"),
    "groups": SMALL.replace("padding: 1", "groups: 3"),
    "same": SMALL.replace("padding: 1", "padding: same, stride: 2"),
    "flat": SMALL.replace("Linear: 10", "Conv2d: [3, 3]"),
    "huge": SMALL.replace("Linear: 10", "Linear: 2000000000"),
    "kind": SMALL.replace("ReLU", "Relu"),
    "cycle": "blocks: {a: {layers: [a]}}\nname: c\ninput: [1, 8, 8]\nlayers: [a]\n",
    "include": SMALL + "include: none.yaml\n",
    "images": SMALL + "train: {dataset: mnist5k, epochs: 1, optimizer: SGD, batch_size: 9}\n",
}
LINES = (
    *(f"summarize {name}.yaml" for name in DOCUMENTS if name != "small"),
    "sumarize small.yaml",
    "frobnicate",
    "summarize",
    "summarize none.yaml",
    "summarize .",
    "summarize small.yaml --dpth 1",
    "summarize small.yaml --depth one",
    "summarize small.yaml --format",
    "summarize small.yaml --format xml",
    "summarize small.yaml --watch --format json",
    "summarize small.yaml --plugin nowhere.at.all",
    "check small.yaml --watch --format json",
    "train",
    "train small.yaml",
    "train small.yaml --epochs 0",
    "train small.yaml --device tpu",
    "train small.yaml --set layers",
    "train small.yaml --set layers[99]=ReLU",
    "train small.yaml --set name.first=a",
    "train small.yaml --schedule hold",
    "train --resume nowhere",
    "evaluate nowhere",
    "evaluate small.yaml --weights worst",
    "predict nowhere some.png",
    "lr-find small.yaml --from 0",
    "lr-find small.yaml",
    "bench small.yaml",
    "diff small.yaml",
    "diff small.yaml none.yaml",
    "runs nowhere",
    "runs . --verdict good",
    "results nowhere",
    "compare nowhere",
    "compare small.yaml --out none/a.png",
    "report nowhere",
    "report small.yaml --out small.yaml",
    "export small.yaml --to onnx",
    "export small.yaml --out small.yaml",
    "export small.yaml --out none/a.py",
    "import os:nothing --input 1,28,28",
    "import os.path --input 1,28,28",
    "import os:path --input many",
    "new",
    "new other",
    "new other --from smal",
    "new other.yaml --from small",
    "new other --from small --out none/a.yaml",
    "new other --template wide",
    "draw small.yaml --out none/a.svg",
    "draw small.yaml --depth x",
    "schema --out .",
    "schema --out none/a.json",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all documents."""
    folder = tmp_path_factory.mktemp("wrong")
    for name, text in DOCUMENTS.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("line", LINES)
def test_a_failure_ends_with_a_next_step(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line names allowed values, a command, an option, or a change."""
    monkeypatch.chdir(folder)
    result = run(*line.split())
    assert result.code in (2, 3), result
    last = result.err.splitlines()[-1]
    assert NEXT.search(last), last


def test_a_message_without_a_next_step_is_detected() -> None:
    """The check can fail: it detects a message that only states the problem."""
    assert not NEXT.search("small.yaml:3:1: layers[2].Conv2d: padding is more than half the kernel")
