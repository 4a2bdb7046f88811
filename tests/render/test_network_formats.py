"""An analysis as markdown, CSV, JSON and torchsummary's output."""

from __future__ import annotations

import json

import pytest
import torchsummary
from documents import FAULTY, HOSTILE, SMALL, analysis_of, network

from netbuilder.network.build import build
from netbuilder.render.network import as_csv, as_data, as_markdown
from netbuilder.render.torchsummary import as_torchsummary


def test_a_title_is_escaped_in_markdown() -> None:
    """The heading has no markup or HTML of the title and is one line."""
    analysis = analysis_of(SMALL.replace("A small one", f'"{HOSTILE}"'))
    assert as_markdown(analysis).splitlines()[0] == (
        r"### small: \[red\]x\[/red\] \[/nope\] :smile: \`a&#124;b\` &lt;b>&amp;amp; \$x\$ "
        r"\\x1b\[31m \\n"
    )


def test_markdown_is_a_table_and_a_list() -> None:
    """Numbers are right-aligned; the first layer that sees the whole input is bold."""
    assert (
        as_markdown(analysis_of(SMALL))
        == """\
### small: A small one

| layer | window | output | receptive field | jump | parameters | MACs |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
| 0 Conv2d | 3x3 p1 | 4x12x12 | 3 of 12 | 1 | 36 | 5,184 |
| 1 BatchNorm2d |  | 4x12x12 | 3 of 12 | 1 | 8 | 0 |
| 2 ReLU |  | 4x12x12 | 3 of 12 | 1 | 0 | 0 |
| 3 MaxPool2d | 2x2 /2 | 4x6x6 | 4 of 12 | 2 | 0 | 0 |
| 4 Flatten |  | 144 | 4 of 12 | 0 | 0 | 0 |
| 5 Linear |  | 10 | **14, all of 12** | 0 | 1,450 | 1,440 |

- 1,494 parameters, 6,624 MACs, 7.9 KiB of activations for one sample; \
sees all of the 12x12 input from layer 5 Linear on
- target parameters below 1,500: 1,494, met with 6 to spare
- target receptive field at least 12: 14, met with 2 to spare
"""
    )


def test_markdown_reports_the_fault() -> None:
    """The fault is the last item after the table, with its place."""
    assert (
        as_markdown(analysis_of(FAULTY))
        .splitlines()[-1]
        .startswith(
            r"- test.yaml:6:5: layers\[2\].Conv2d: kernel 3x3 is larger than its input 4x2x2;"
        )
    )


def test_csv_has_one_line_per_layer() -> None:
    """Documents share a header; numbers have no separators, and memory is in bytes."""
    assert (
        as_csv([analysis_of(SMALL), analysis_of(FAULTY)])
        == """\
name,path,kind,depth,output_shape,receptive_field,jump,parameters,macs,activation_bytes
small,0,Conv2d,0,4x12x12,3x3,1,36,5184,2304
small,1,BatchNorm2d,0,4x12x12,3x3,1,8,0,2304
small,2,ReLU,0,4x12x12,3x3,1,0,0,2304
small,3,MaxPool2d,0,4x6x6,4x4,2,0,0,576
small,4,Flatten,0,144,4x4,0,0,0,576
small,5,Linear,0,10,14x14,0,1450,1440,40
faulty,0,Conv2d,0,4x10x10,3x3,1,40,3600,1600
faulty,1,MaxPool2d,0,4x2x2,7x7,5,0,0,64
"""
    )


def test_json_has_every_value_of_an_analysis() -> None:
    """Shapes and axes are lists, arguments include defaults, and targets have their margin."""
    data = json.loads(json.dumps(as_data(analysis_of(SMALL))))
    assert len(data["rows"]) == 6
    assert data["rows"][3] == {
        "path": "3",
        "kind": "MaxPool2d",
        "title": "MaxPool2d",
        "depth": 0,
        "is_container": False,
        "arguments": {
            "kernel_size": [2, 2],
            "stride": None,
            "padding": [0, 0],
            "dilation": [1, 1],
            "ceil_mode": False,
        },
        "input_shape": [4, 12, 12],
        "output_shape": [4, 6, 6],
        "receptive_field": [4, 4],
        "jump": [2, 2],
        "parameters": 0,
        "macs": 0,
        "activation_bytes": 576,
    }
    del data["rows"]
    assert data == {
        "name": "small",
        "title": "A small one",
        "input": [1, 12, 12],
        "output_shape": [10],
        "totals": {
            "parameters": 1494,
            "macs": 6624,
            "activation_bytes": 8104,
            "receptive_field": [14, 14],
        },
        "targets": [
            {
                "target": "parameters",
                "bound": "below 1,500",
                "found": 1494,
                "met": True,
                "left": 6,
                "reason": "",
            },
            {
                "target": "receptive_field",
                "bound": "at least 12",
                "found": 14,
                "met": True,
                "left": 2,
                "reason": "",
            },
        ],
        "fault": None,
    }


def test_json_has_the_fault() -> None:
    """The fault has its place and message; rows and totals cover the layers before it."""
    data = json.loads(json.dumps(as_data(analysis_of(FAULTY))))
    assert [row["kind"] for row in data["rows"]] == ["Conv2d", "MaxPool2d"]
    assert data["totals"]["parameters"] == 40
    assert data["targets"][0]["met"] is None
    assert data["fault"] == {
        "file": "test.yaml",
        "line": 6,
        "column": 5,
        "field": "layers[2].Conv2d",
        "message": "kernel 3x3 is larger than its input 4x2x2; use a smaller kernel, more padding, "
        "or less pooling before it",
    }


def test_json_has_a_fractional_jump() -> None:
    """The jump of uneven adaptive pooling is a number."""
    data = as_data(network("AdaptiveAvgPool2d: [[5, 12]]"))
    assert json.loads(json.dumps(data["rows"][0]["jump"])) == [2.4, 1]


@pytest.mark.parametrize(
    "layers",
    [
        (
            "Conv2d: {out_channels: 3, kernel_size: [3, 2], groups: 1}",
            "PReLU",
            "Flatten",
            "Linear: 7",
        ),
        ("BatchNorm2d: {affine: false}", "AdaptiveMaxPool2d: [[3, 4]]", "Conv2d: [3, 2]"),
        ("Conv2d: {out_channels: 600, kernel_size: 1}", "Flatten", "Linear: 1000"),
    ],
    ids=" ".join,
)
def test_torchsummary_equals_the_output_of_the_package(
    layers: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every character matches for layers that the ten iterations do not have."""
    analysis = network(*layers)
    torchsummary.summary(build(analysis.architecture), (1, 12, 12), device="cpu")
    assert as_torchsummary(analysis) == capsys.readouterr().out


def test_torchsummary_orders_containers_like_the_package(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A Residual and a Parallel follow their layers, and a Sequential has no row."""
    text = """\
name: nested
input: [2, 8, 8]
layers:
  - Sequential:
      layers:
        - Residual: {body: [{Conv2d: [2, 3, 1, 1]}], activation: ReLU}
        - Parallel: {branches: {a: [{Conv2d: [3, 1]}], b: [Tanh]}}
  - Flatten
"""
    analysis = analysis_of(text)
    torchsummary.summary(build(analysis.architecture), (2, 8, 8), device="cpu")
    assert as_torchsummary(analysis) == capsys.readouterr().out
