"""Layer kinds of plugins: named on the command line, or offered by an installed package."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command import COMMAND, run
from small import DOCUMENT as TRAINABLE

from netbuilder.components.layers.base import LAYERS
from netbuilder.components.plugins import GROUP, entry_points_of, load_installed, load_plugin
from netbuilder.config.loader import parse_architecture
from netbuilder.errors import ConfigError

PLUGIN = '''
from netbuilder.plugin import Elementwise

class {name}(Elementwise):
    """x cubed."""

    def build(self, x):
        from torch import nn

        return nn.Identity()
'''
DOCUMENT = "name: a\ninput: [4]\nlayers: [Cubed, {Linear: 2}]\n"


def write(folder: Path, module: str, text: str) -> None:
    (folder / f"{module}.py").write_text(text)


def offer(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Simulate an installed package with this entry point and no other."""

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        return [entry] if group == GROUP and name in (None, entry.name) else []

    entry = EntryPoint(name, value, GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    entry_points_of.cache_clear()


def test_plugin_adds_the_kinds_of_a_module(plugin_folder: Path) -> None:
    """`--plugin` imports a module of the current folder, and documents can use its kinds."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    (plugin_folder / "net.yaml").write_text(DOCUMENT)
    result = run("summarize", "net.yaml", "--plugin", "cubes")
    assert result.code == 0, result.err
    assert "0 Cubed" in result.out
    assert run("check", "net.yaml", "--plugin", "cubes").code == 0
    schema = run("schema", "--plugin", "cubes").out
    assert '"Cubed"' in schema


FIELDS = (
    PLUGIN
    + """
    factor: Annotated[float, Field(description="Exponent of x.", examples=[3])]
    bias: float
"""
)


def test_the_schema_describes_the_fields_of_a_plugin(plugin_folder: Path) -> None:
    """A field of a plugin has its own description, even where torch has an argument of its name."""
    imports = "from typing import Annotated\nfrom pydantic import Field\n"
    write(plugin_folder, "powers", imports + FIELDS.format(name="Power"))
    assert run("schema", "--plugin", "powers", "--out", "schema.json").code == 0
    kind = json.loads((plugin_folder / "schema.json").read_text())["$defs"]["Power"]
    fields = kind["oneOf"][0]["else"]["properties"]
    assert fields["factor"]["description"] == "Exponent of x. Required."
    assert fields["bias"]["description"] == "An argument of Power. Required."


def test_runs_with_a_plugin_are_read_with_the_same_option(plugin_folder: Path) -> None:
    """`results` accepts `--plugin`, and its error names the option where it is missing."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    net = TRAINABLE.replace("layers:\n", "layers:\n  - Cubed\n", 1)
    (plugin_folder / "net.yaml").write_text(net)

    def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=plugin_folder, capture_output=True, text=True, check=False
        )

    trained = run_command(
        "train", "net.yaml", "--plugin", "cubes", "--quiet", "--set", "targets={}"
    )
    assert trained.returncode == 0, trained.stderr
    reported = run_command("results", "runs", "--plugin", "cubes", "--format", "markdown")
    assert reported.returncode == 0, reported.stderr
    assert "| small on mnist5k | 2,678 |" in reported.stdout
    refused = run_command("results", "runs")
    assert refused.returncode == 2
    assert "unknown layer 'Cubed'" in refused.stderr
    assert "name the module that defines it with --plugin" in refused.stderr


def test_a_kind_is_unknown_without_its_plugin(plugin_folder: Path) -> None:
    """A document alone never imports code, and the error is that of any unknown layer."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    (plugin_folder / "net.yaml").write_text(DOCUMENT)
    result = run("summarize", "net.yaml")
    assert (result.code, result.out) == (2, "")
    assert "net.yaml:3:10: layers[0]: unknown layer 'Cubed'" in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name", r"^--plugin bad: cannot be imported: ModuleNotFoundError"),
        (
            "1 / 0",
            r"^--plugin bad: cannot be imported: ZeroDivisionError: division by zero "
            r"\(at bad\.py:1\); fix",
        ),
        ("x = (", r"^--plugin bad: cannot be imported: SyntaxError: .*$"),
        ("from netbuilder.plugin import Layer", r"^--plugin bad: it defines no layer kind;"),
        (
            "raise SystemExit(3)",
            r"^--plugin bad: cannot be imported: SystemExit: 3 \(at bad\.py:1\); fix the module or",
        ),
        (
            "raise ValueError('a\\n  b')",
            r"^--plugin bad: cannot be imported: ValueError: a b \(at bad\.py:1\); fix the module",
        ),
        (
            "from netbuilder.components.layers.activation import Tanh",
            r"^--plugin bad: it defines no layer",
        ),
        (PLUGIN.format(name="ReLU"), r"^--plugin bad: the layer kind ReLU already exists; rename"),
        (
            "from netbuilder.plugin import Layer\nclass Lazy(Layer): pass",
            r"^--plugin bad: cannot be imported: TypeError: layer kind Lazy does not define",
        ),
    ],
)
def test_an_unusable_plugin_module_is_refused(plugin_folder: Path, text: str, message: str) -> None:
    """The error is one line with the module and its mistake, and the kinds are unchanged."""
    write(plugin_folder, "bad", text)
    kinds = set(LAYERS.kinds)
    with pytest.raises(ConfigError, match=message) as error:
        load_plugin("bad")
    assert "\n" not in str(error.value)
    assert set(LAYERS.kinds) == kinds


BROKEN = """\
from netbuilder.plugin import Elementwise

class Broken(Elementwise):
    def output_shape(self, x):
        {}
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "raise RuntimeError('oops\\nand more')",
            "failed for 4: RuntimeError: oops and more (at bad.py:5)",
        ),
        ("return 'abc'", "for 4 returned 'abc'; allowed: a tuple of whole numbers"),
        ("return x[7]", "failed for 4: IndexError: tuple index out of range (at bad.py:5)"),
    ],
)
def test_an_error_in_a_rule_of_a_plugin_is_reported_with_its_place(
    plugin_folder: Path, body: str, message: str
) -> None:
    """The error is one line with the place, the layer and the exception, not a traceback."""
    write(plugin_folder, "bad", BROKEN.format(body))
    (plugin_folder / "net.yaml").write_text(DOCUMENT.replace("Cubed", "Broken"))
    result = run("summarize", "net.yaml", "--plugin", "bad")
    assert result.code == 2
    place = "net.yaml:3:10: layers[0].Broken: rule output_shape of the plugin's kind Broken "
    assert place in result.err
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_a_kind_without_a_torch_class_must_define_build(plugin_folder: Path) -> None:
    """A family that builds torch's class of the kind's name reports that it does not exist."""
    text = "from netbuilder.plugin import Elementwise\n\nclass Nope(Elementwise):\n    pass\n"
    write(plugin_folder, "bad", text)
    [kind] = load_plugin("bad")
    with pytest.raises(
        ConfigError, match=r"kind Nope: torch\.nn has no class of that name; define build"
    ):
        kind().build((3,))
    (plugin_folder / "net.yaml").write_text(DOCUMENT.replace("Cubed", "Nope"))
    result = run("export", "net.yaml")
    assert (result.code, result.out) == (2, "")
    assert "layer 0, Nope, comes from a plugin" in result.err


def test_abstract_families_of_a_plugin_are_not_kinds(plugin_folder: Path) -> None:
    """Abstract classes are skipped, and loading a module twice returns the same kinds."""
    family = "\n\nclass Powers(Elementwise, abstract=True):\n    pass\n"
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed") + family)
    assert [kind.kind for kind in load_plugin("cubes")] == ["Cubed"]
    assert load_plugin("cubes") == (LAYERS.kinds["Cubed"],)


def test_the_current_folder_precedes_the_module_path(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with ``python -m``, a module of the current folder hides others of the same name."""
    (other := plugin_folder / "elsewhere").mkdir()
    write(other, "cubes", PLUGIN.format(name="Squared"))
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    monkeypatch.syspath_prepend(other)
    assert [kind.kind for kind in load_plugin("cubes")] == ["Cubed"]


def test_a_kind_of_an_installed_package_is_imported_on_use(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of an entry point is a kind, imported when a document uses it."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    monkeypatch.syspath_prepend(plugin_folder)
    offer(monkeypatch, "Cubed", "cubes:Cubed")
    assert "cubes" not in sys.modules
    assert parse_architecture(DOCUMENT, "net.yaml").layers[0].kind == "Cubed"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("missing:Cubed", r"layers\[0\]: layer Cubed comes from .* missing:Cubed, which cannot"),
        ("leaving:Cubed", r"which cannot be imported: SystemExit: 1"),
        ("cubes:Other", r"which cannot be imported: AttributeError"),
        ("cubes:Elementwise", r"cubes:Elementwise, which is not a layer kind"),
        ("cubes:Squared", r"cubes:Squared, which is the kind Squared; the two names"),
    ],
)
def test_a_broken_entry_point_is_reported_where_a_document_uses_it(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    """The message contains the place in the document and the entry point."""
    write(plugin_folder, "leaving", "raise SystemExit(1)")
    write(plugin_folder, "cubes", PLUGIN.format(name="Squared"))
    monkeypatch.syspath_prepend(plugin_folder)
    offer(monkeypatch, "Cubed", value)
    with pytest.raises(ConfigError, match=message):
        parse_architecture(DOCUMENT, "net.yaml")
    with pytest.raises(ConfigError, match="layer Cubed comes from"):
        load_installed()
