"""Documents that several tests analyze."""

from __future__ import annotations

from netbuilder.config.loader import parse_architecture
from netbuilder.network.analysis import Analysis, analyse

SMALL = """\
name: small
title: A small one
input: [1, 12, 12]
layers:
  - Conv2d: {out_channels: 4, kernel_size: 3, padding: 1, bias: false}
  - BatchNorm2d
  - ReLU
  - MaxPool2d: 2
  - Flatten
  - Linear: 10
targets:
  parameters: {below: 1500}
  receptive_field: {at_least: 12}
"""
FAULTY = """\
name: faulty
input: [1, 12, 12]
layers:
  - Conv2d: [4, 3]
  - MaxPool2d: 5
  - Conv2d: [4, 3]
targets:
  parameters: {below: 1500}
"""


HOSTILE = r"[red]x[/red] [/nope] :smile: `a|b` <b>&amp; $x$ \e[31m \n"
"""A title that changes wherever text is interpreted as markup."""


def analysis_of(text: str) -> Analysis:
    """Analyze the document in ``text``."""
    return analyse(parse_architecture(text, "test.yaml"))


def network(*layers: str, shape: str = "[1, 12, 12]") -> Analysis:
    """Analyze a network of these layers, each in YAML."""
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return analysis_of(f"name: test\ninput: {shape}\nlayers:\n{lines}")
