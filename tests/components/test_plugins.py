"""Layer kinds from outside: named on the command line, or offered by an installed package."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command import COMMAND, run
from small import DOCUMENT as TRAINABLE

from netbuilder.components.layers.base import LAYERS
from netbuilder.components.plugins import GROUP, load_installed, load_plugin, offered
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
    """An installed package with this entry point, and no other."""

    def found(group: str, name: str | None = None) -> list[EntryPoint]:
        return [entry] if group == GROUP and name in (None, entry.name) else []

    entry = EntryPoint(name, value, GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", found)
    offered.cache_clear()


def test_a_module_that_the_command_names_brings_its_kinds(plugin_folder: Path) -> None:
    """The command finds the module in the current folder and serves its kinds to documents."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    (plugin_folder / "net.yaml").write_text(DOCUMENT)
    done = run("summarize", "net.yaml", "--plugin", "cubes")
    assert done.code == 0, done.err
    assert "0 Cubed" in done.out
    assert run("check", "net.yaml", "--plugin", "cubes").code == 0
    schema = run("schema", "--plugin", "cubes").out
    assert '"Cubed"' in schema


def test_runs_with_a_plugin_are_read_with_it(plugin_folder: Path) -> None:
    """`results` needs the option too, and its error names it."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    net = TRAINABLE.replace("layers:\n", "layers:\n  - Cubed\n", 1)
    (plugin_folder / "net.yaml").write_text(net)

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=plugin_folder, capture_output=True, text=True, check=False
        )

    trained = ran("train", "net.yaml", "--plugin", "cubes", "--quiet", "--set", "targets={}")
    assert trained.returncode == 0, trained.stderr
    reported = ran("results", "runs", "--plugin", "cubes", "--format", "markdown")
    assert reported.returncode == 0, reported.stderr
    assert "| small on mnist5k | 2,678 |" in reported.stdout
    refused = ran("results", "runs")
    assert refused.returncode == 2
    assert "unknown layer 'Cubed'" in refused.stderr
    assert "name the module that defines it with --plugin" in refused.stderr


def test_without_the_plugin_the_kind_is_unknown(plugin_folder: Path) -> None:
    """A document alone brings no code in, and the message is that of any unknown layer."""
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    (plugin_folder / "net.yaml").write_text(DOCUMENT)
    done = run("summarize", "net.yaml")
    assert (done.code, done.out) == (2, "")
    assert "net.yaml:3:10: layers[0]: unknown layer 'Cubed'" in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name", r"^--plugin bad: cannot be imported: ModuleNotFoundError"),
        (
            "1 / 0",
            r"^--plugin bad: cannot be imported: ZeroDivisionError: division by zero; fix",
        ),
        ("x = (", r"^--plugin bad: cannot be imported: SyntaxError: .*$"),
        ("from netbuilder.plugin import Layer", r"^--plugin bad: it defines no layer kind;"),
        (
            "raise SystemExit(3)",
            r"^--plugin bad: cannot be imported: SystemExit: 3; fix the module or its name$",
        ),
        (
            "raise ValueError('a\\n  b')",
            r"^--plugin bad: cannot be imported: ValueError: a b; fix the module or its name$",
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
def test_a_module_that_cannot_be_served_is_refused(
    plugin_folder: Path, text: str, message: str
) -> None:
    """One line says which module and what is wrong with it."""
    write(plugin_folder, "bad", text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_plugin("bad")
    assert "\n" not in str(caught.value)
    assert set(LAYERS.kinds) >= {"ReLU", "Conv2d"}


BROKEN = """\
from netbuilder.plugin import Elementwise

class Broken(Elementwise):
    def output_shape(self, x):
        {}
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('oops\\nand more')", "RuntimeError: oops and more"),
        ("return 'abc'", "TypeError: "),
        ("return x[7]", "IndexError: "),
    ],
)
def test_a_rule_that_fails_is_told_with_its_place(
    plugin_folder: Path, body: str, said: str
) -> None:
    """A plugin's mistake is no traceback: the layer, what reached it, and what was raised."""
    write(plugin_folder, "bad", BROKEN.format(body))
    (plugin_folder / "net.yaml").write_text(DOCUMENT.replace("Cubed", "Broken"))
    done = run("summarize", "net.yaml", "--plugin", "bad")
    assert done.code == 2
    place = "net.yaml:3:10: layers[0].Broken: a rule of this plugin's kind failed for "
    assert place in done.err
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_a_kind_without_a_class_of_torch_is_told(plugin_folder: Path) -> None:
    """Where a family would build torch's class of the kind's name, and there is none."""
    text = "from netbuilder.plugin import Elementwise\n\nclass Nope(Elementwise):\n    pass\n"
    write(plugin_folder, "bad", text)
    [kind] = load_plugin("bad")
    with pytest.raises(
        ConfigError, match=r"kind Nope: torch\.nn has no class of that name; define build"
    ):
        kind().build((3,))
    (plugin_folder / "net.yaml").write_text(DOCUMENT.replace("Cubed", "Nope"))
    done = run("export", "net.yaml")
    assert (done.code, done.out) == (2, "")
    assert "layer 0, Nope, comes from a plugin" in done.err


def test_families_of_a_module_are_no_kinds(plugin_folder: Path) -> None:
    """Only what can be built is served, and naming the module twice serves the same."""
    family = "\n\nclass Powers(Elementwise, abstract=True):\n    pass\n"
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed") + family)
    assert [kind.kind for kind in load_plugin("cubes")] == ["Cubed"]
    assert load_plugin("cubes") == (LAYERS.kinds["Cubed"],)


def test_the_current_folder_comes_first(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with ``python -m``, a module here hides one of the same name elsewhere."""
    (elsewhere := plugin_folder / "elsewhere").mkdir()
    write(elsewhere, "cubes", PLUGIN.format(name="Squared"))
    write(plugin_folder, "cubes", PLUGIN.format(name="Cubed"))
    monkeypatch.syspath_prepend(elsewhere)
    assert [kind.kind for kind in load_plugin("cubes")] == ["Cubed"]


def test_an_installed_package_offers_kinds(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind is found by the name of its entry point, once a document uses it."""
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
def test_a_broken_package_is_told_where_it_is_used(
    plugin_folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    """The message holds the place in the document and the entry point."""
    write(plugin_folder, "leaving", "raise SystemExit(1)")
    write(plugin_folder, "cubes", PLUGIN.format(name="Squared"))
    monkeypatch.syspath_prepend(plugin_folder)
    offer(monkeypatch, "Cubed", value)
    with pytest.raises(ConfigError, match=message):
        parse_architecture(DOCUMENT, "net.yaml")
    with pytest.raises(ConfigError, match="layer Cubed comes from"):
        load_installed()
