"""Commands, options and changes of fields in the words of other tools."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run
from documents import SMALL

from netbuilder.cli._app import COMMANDS, CommandGroup
from netbuilder.cli._foreign_words import COMMANDS as FOREIGN_COMMANDS
from netbuilder.cli._foreign_words import OPTIONS
from netbuilder.config.loader import parse_architecture

TRAIN = SMALL.replace("[1, 12, 12]", "[1, 28, 28]")
TRAIN += "train: {dataset: mnist5k, epochs: 1, optimizer: {SGD: 0.1}}\n"


@pytest.mark.parametrize("name", list(FOREIGN_COMMANDS))
def test_a_command_of_another_tool_has_its_word(name: str) -> None:
    """The proposed command exists, and the foreign one does not."""
    right = FOREIGN_COMMANDS[name]
    assert name not in COMMANDS
    assert right.split()[0] in {*COMMANDS, "--help"}
    result = run(name)
    assert result.code == 2
    assert result.err.endswith(f"no such command {name}; write {right}\n")


@pytest.mark.parametrize("name", list(OPTIONS))
def test_an_option_of_another_tool_has_its_word(name: str) -> None:
    """The proposed option exists in some command, which does not have the foreign one."""
    option, *value = OPTIONS[name].split()
    group, known = CommandGroup(name="netbuilder"), {}
    for command in COMMANDS:
        parsed = group.get_command(None, command)
        assert parsed is not None
        known[command] = {opt for parameter in parsed.params for opt in parameter.opts}
    [command, *_] = [command for command, options in known.items() if option in options]
    assert name not in known[command]
    result = run(command, name, "1")
    assert result.code == 2
    assert result.err.endswith(f"no such option {name}; write {OPTIONS[name]}\n")
    if option == "--set":
        parse_architecture(TRAIN, "net.yaml", value)


def test_a_field_among_documents_is_a_change(tmp_path: Path) -> None:
    """Hydra takes changes without an option; the proposed option makes the same change."""
    (tmp_path / "net.yaml").write_text(TRAIN)
    result = run("train", str(tmp_path / "net.yaml"), "+train.epochs=x y")
    assert result.code == 2
    assert result.err == (
        "+train.epochs=x y: no such file; to change a field, write --set 'train.epochs=x y'\n"
    )
