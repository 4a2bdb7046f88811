"""Hostile texts: each is refused as a user's mistake, in one line, with little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netbuilder.config.loader import load, parse_architecture
from netbuilder.errors import ConfigError

SOUND = "name: a\ninput: [1, 8, 8]\nlayers: [ReLU]\n"
KEYS = ", ".join(f"k{i}: 1" for i in range(1000))


def _bomb(first: str, level: Callable[[list[str]], str]) -> str:
    """Return nine levels, each of nine aliases of the level before."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} {level([f'*a{i - 1}'] * 9)}" for i in range(1, 9)]
    return SOUND + "\n".join(lines)


def _list(aliases: list[str]) -> str:
    return f"[{', '.join(aliases)}]"


def _mapping(aliases: list[str]) -> str:
    return f"{{{', '.join(f'k{i}: {alias}' for i, alias in enumerate(aliases))}}}"


def _merge(aliases: list[str]) -> str:
    return f"{{<<: {_list(aliases)}}}"


TEXTS: dict[str, tuple[Callable[[], str], str]] = {
    "alias bomb": (lambda: _bomb("[x, x]", _list), "with its aliases expanded"),
    "mapping bomb": (lambda: _bomb("{x: 1}", _mapping), "with its aliases expanded"),
    "merge bomb": (lambda: _bomb("{x: 1}", _merge), "a8: unknown field"),
    "merge of many keys": (
        lambda: f"{SOUND}a: &a {{{KEYS}}}\nb: {{<<: [{'*a, ' * 20_000}]}}", "aliases expanded",
    ),
    "merges of many keys": (
        lambda: f"{SOUND}a: &a {{{KEYS}}}\nb: {{{'<<: *a, ' * 20_000}}}", "000 steps",
    ),
    "wide merge": (
        lambda: f"{SOUND}a: &a {{x: 1}}\nb: {{<<: [{'*a,' * 330_000}]}}", "000 steps",
    ),
    "merges": (lambda: f"{SOUND}a: &a {{x: 1}}\nb: {{{'<<: *a, ' * 99_000}}}", "000 steps"),
    "merge of a scalar": (lambda: f"{SOUND}b: {{<<: 3}}", "<< merges a mapping"),
    "merge of itself": (lambda: f"{SOUND}b: &b {{<<: *b}}", "is inside its own anchor"),
    "brackets": (lambda: "[" * 100_000, "nested deeper than 40 levels"),
    "closed brackets": (lambda: "[" * 100_000 + "]" * 100_000, "nested deeper than 40 levels"),
    "braces": (lambda: "{" * 100_000, "a key must be plain text|nested deeper than 40 levels"),
    "braces with keys": (lambda: "{a: " * 100_000, "nested deeper than 40 levels"),
    "dashes": (lambda: "- " * 100_000, "nested deeper than 40 levels"),
    "question marks": (lambda: "? " * 100_000, "a key must be plain text"),
    "nesting by aliases": (
        lambda: "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60)),
        "nested deeper than 40 levels through its aliases",
    ),
    "values": (lambda: f"a: [{'1,' * 500_000}]", "more than 100,000 steps"),
    "keys": (lambda: "".join(f"k{i}: 1\n" for i in range(90_000)), "more than 1,000 keys"),
    "repeated keys": (lambda: SOUND + "k: 1\n" * 150_000, "is repeated, first in line 4"),
    "ten megabytes": (lambda: SOUND + "#" * 10_000_000, "larger than 1,048,576 bytes"),
    "hexadecimal digits": (lambda: SOUND.replace("8", "0x" + "f" * 20_000), "more than 40 digits"),
    "decimal digits": (lambda: SOUND.replace("8", "9" * 5_000), "more than 40 digits"),
    "negative digits": (lambda: SOUND.replace("8", "-" + "9" * 5_000), "more than 40 digits"),
    "fraction digits": (lambda: SOUND.replace("8", "." + "9" * 5_000), "more than 40 digits"),
    "date": (lambda: SOUND.replace("8", "2024-99-99"), "found the text '2024-99-99'"),
    "nul": (lambda: SOUND + "title: a\0b", r"f.yaml:4:9: found the character '\\x00'"),
    "bell": (lambda: SOUND + "\a", r"f.yaml:4:1: found the character '\\x07'"),
    "c1 control": (lambda: SOUND + "title: \x9b31m", r"f.yaml:4:8: found the character '\\x9b'"),
    "tag with code": (
        lambda: SOUND + "t: !!python/object/apply:os.system [id]",
        "4:4: found the tag .* plain data",
    ),
    "tag": (lambda: SOUND + "title: !!str 3", "the tag 'tag:yaml.org,2002:str'"),
    "local tag": (lambda: SOUND + "title: !mine 3", "the tag '!mine'"),
    "tagged key": (lambda: SOUND + "!!str title: 3", "a key must be plain text"),
    "only comments": (lambda: "# a\n# b\n", "only comments"),
    "empty": (lambda: "", "it is empty"),
    "blank": (lambda: " \n\t\n", "it is empty"),
    "two documents": (lambda: SOUND + "---\n" + SOUND, "4:1: a second document starts"),
    "alias inside its anchor": (lambda: "a: &a [*a]", "is inside its own anchor"),
    "unknown alias": (lambda: SOUND + "title: *b", "the alias \\*'b' has no anchor"),
    "list as key": (lambda: SOUND + "[1]: 2", "a key must be plain text"),
    "mapping as key": (lambda: SOUND + "? {a: b}\n: 2", "a key must be plain text"),
    "alias as key": (lambda: SOUND + "a: &a b\n*a : 2", "a key must be plain text"),
    "escape in a key": (lambda: SOUND + r'"\e[31m": 1', r"'\\x1b\[31m': unknown field"),
    "newline in a key": (lambda: SOUND + r'"a\nb": 1', r"'a\\nb': unknown field"),
    "escape in a value": (lambda: SOUND.replace("1, 8", r'"\e[31m", 8'), r"text '\\x1b\[31m'"),
    "escape in a kind": (lambda: SOUND.replace("ReLU", r'"\e[31m"'), r"layer '\\x1b\[31m'"),
    "escapes in two keys": (
        lambda: SOUND.replace("ReLU", r'{"\e[31m": 1, "\r": 2}'), r"keys \('\\x1b\[31m', '\\r'\)",
    ),
    "direction in a key": (lambda: SOUND + '"\u202e": 1', r"\\u202e"),
    "long key": (lambda: f"{SOUND}? {'k' * 900_000}\n: 1", "unknown field"),
    "long kind": (lambda: SOUND.replace("ReLU", "x" * 900_000), "unknown layer 'x{40}…'"),
    "many keys in a layer": (lambda: SOUND.replace("ReLU", f"{{{KEYS}}}"), "found 1000 keys"),
    "surrogate escape": (lambda: SOUND + r'title: "\ud800"', "not YAML"),
    "too many sizes": (lambda: SOUND.replace("8]", "8, " * 20_000 + "]"), "allowed: 1 to 4 items"),
    "tab": (lambda: SOUND + "\ttitle: 3", "not YAML"),
    "open quote": (lambda: SOUND + 'title: "' + "\n" * 100_000, "not YAML"),
    "yaml directive": (lambda: "%YAML 9.9\n---\n" + SOUND, "not YAML"),
}  # fmt: skip


def checked_message(error: ConfigError) -> str:
    """Return the message after checking that it has one printable line per problem."""
    assert error.problems
    assert str(error).split("\n") == [str(problem) for problem in error.problems]
    assert all(str(problem).isprintable() for problem in error.problems)
    return str(error)


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    """Each hostile text is refused with a short line that names the mistake."""
    text, message = TEXTS[name]
    path = tmp_path / "f.yaml"
    path.write_text(text(), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        load(path)
    assert len(checked_message(error.value).splitlines()[0]) < 1000


def test_repeated_keys_are_reported_up_to_a_limit() -> None:
    """The error lists at most 100 repeated keys."""
    with pytest.raises(ConfigError, match="is repeated") as error:
        parse_architecture(SOUND + "k: 1\n" * 1_000, "f.yaml")
    assert len(error.value.problems) == 100


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (SOUND.encode("utf-16"), "not UTF-8 at byte 0; save the file as UTF-8"),
        (SOUND.encode("utf-16-be"), r"the character '\\x00'"),
        ((SOUND + "title: café").encode("latin-1"), "not UTF-8 at byte 50"),
        ((SOUND + "title: a").encode("utf-8") + b"\xed\xa0\x80", "not UTF-8 at byte"),
        (b"\xff\xfe\x00\x00", "not UTF-8 at byte 0"),
        (b"\x00" * 1000, r"the character '\\x00'"),
        (bytes(range(256)), "not UTF-8 at byte"),
    ],
)
def test_bytes_that_are_not_utf_8_text_are_refused(
    data: bytes, message: str, tmp_path: Path
) -> None:
    """The message names the first byte or character that is not allowed."""
    path = tmp_path / "f.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=message) as error:
        load(path)
    checked_message(error.value)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    """A file in the format of Windows editors loads to an equal architecture."""
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode())
    assert load(path) == parse_architecture(SOUND, "f.yaml")


def test_a_path_without_a_document_is_refused(tmp_path: Path) -> None:
    """Folders, missing files, paths through a file and invalid names give an error message."""
    (tmp_path / "file").write_text(SOUND)
    for path, message in {
        str(tmp_path): "it is a folder",
        str(tmp_path / "none.yaml"): "no such file; check the path",
        str(tmp_path / "file" / "f.yaml"): "cannot be read: Not a directory",
        "nul\0.yaml": "cannot be read: embedded null byte",
        "x" * 5_000: "cannot be read: File name too long",
        "\ud800.yaml": "surrogates not allowed",
        "a\n\x1b[31m.yaml": "no such file",
    }.items():
        with pytest.raises(ConfigError, match=message) as error:
            load(path)
        checked_message(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """The message contains the reason of the operating system."""
    path = tmp_path / "f.yaml"
    path.write_text(SOUND)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path)


@pytest.mark.parametrize("override", ["title=\ud800", "title=\x1b[31m\x00", "a\nb=1", "\x1b=1"])
def test_an_override_cannot_control_the_terminal(override: str) -> None:
    """Control characters and lone surrogates are escaped in the message."""
    with pytest.raises(ConfigError, match=r"^--set ") as error:
        parse_architecture(SOUND, "f.yaml", [override])
    checked_message(error.value)


MEASURE = """
import sys
from pathlib import Path
from netbuilder.errors import ConfigError
from netbuilder.config.loader import load

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

load(sys.argv[1])
start = peak()
for path in sys.argv[2:]:
    try:
        load(path)
    except ConfigError:
        print(Path(path).name, peak() - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_hostile_texts_take_little_memory(tmp_path: Path) -> None:
    """Loading all texts in one process adds less than 100 MB to its peak memory."""
    sound = tmp_path / "sound.yaml"
    sound.write_text(SOUND)
    paths = [tmp_path / name for name in TEXTS]
    for path in paths:
        path.write_text(TEXTS[path.name][0](), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, sound, *paths], capture_output=True, text=True, check=True
    )
    growth = dict(line.rsplit(" ", 1) for line in result.stdout.splitlines())
    assert set(growth) == set(TEXTS)
    assert max(map(int, growth.values())) < 100, growth
