"""What editors and the guide say about kinds: summaries, links to torch, fields and examples."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from netbuilder.components.component import Component
from netbuilder.components.field_texts import text_of

_TORCH = "https://docs.pytorch.org/docs/stable"
_WORD = re.compile(r"(?!true|false|null)[A-Za-z][\w./-]*")
"""A string that YAML reads as one without quotes."""
_TORCHVISION = "https://docs.pytorch.org/vision/stable"


def summary(kind: type[Component]) -> str:
    """Return the first sentence of a kind's docstring, in Markdown."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].replace("``", "`")


def markdown(kind: type[Component]) -> str:
    """Return the summary of a kind, with a link to torch's page where there is one."""
    text, name = summary(kind), kind.torch_name()
    return f"{text} [{kind.kind}]({torch_page(name)})" if name else text


def torch_page(name: str) -> str:
    """Return the page of a class or function in the documentation of torch or torchvision."""
    if name.startswith("torch.nn.init."):
        return f"{_TORCH}/nn.init.html#{name}"
    root = _TORCHVISION if name.startswith("torchvision.") else _TORCH
    return f"{root}/generated/{name}.html"


def default_of(kind: type[Component], field: str) -> Any:
    """Return the default of a field as a document would write it: one number for equal ones."""
    value = kind.model_fields[field].get_default(call_default_factory=True)
    if isinstance(value, tuple):
        first, *others = value or (None,)
        same = isinstance(first, int | float) and all(other == first for other in others)
        value = first if same else list(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return int(value)
    return value


def field_description(kind: type[Component], field: str) -> str:
    """Return what editors show about a field of a kind: meaning, unit and default."""
    text = text_of(kind, field)
    if kind.model_fields[field].is_required():
        return text.description(None)
    default = default_of(kind, field)
    if default is None and text.null:
        return text.description(text.null)
    return text.description(json.dumps(default, default=str))


def field_example(kind: type[Component], field: str) -> Any:
    """Return the value that editors insert for a field: its example, else its default."""
    example = text_of(kind, field).example
    if example is not None or kind.model_fields[field].is_required():
        return example
    return default_of(kind, field)


def snippet(value: Any) -> str:
    """Return a value in YAML's flow style with a placeholder for each number and word."""
    count = 0

    def write(part: Any) -> str:
        nonlocal count
        if isinstance(part, dict):
            return "{" + ", ".join(f"{key}: {write(item)}" for key, item in part.items()) + "}"
        if isinstance(part, list) and part:
            return f"[{', '.join(map(write, part))}]"
        count += 1
        is_word = isinstance(part, str) and _WORD.fullmatch(part)
        return f"${{{count}:{part if is_word else json.dumps(part)}}}"

    return write(value)
