"""``--out``: files, links, devices, pipes, sockets and standard output, alike in every command."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from command import run
from paths import HELPERS
from small import DOCUMENT
from test_situations import CODE

TEXT = DOCUMENT.replace("epochs: 3", "epochs: 1").replace("batch_size: 96", "batch_size: 1000")
FILES = {
    "schema": "schema",
    "new": "new x --template plain",
    "import": "import nets:net --input 1,28,28",
    "python": "export small.yaml",
    "safetensors": "export R --to safetensors",
    "picture": "compare R",
}
"""Commands with an output file."""
FOLDERS = {
    "train": "train small.yaml",
    "lr-find": "lr-find small.yaml --steps 3",
    "report": "report small.yaml",
}
"""Commands with an output folder."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a document, a run and a module."""
    base = tmp_path_factory.mktemp("base")
    (base / "small.yaml").write_text(TEXT)
    (base / "nets.py").write_text(CODE)
    assert run("train", str(base / "small.yaml"), "-q", "--out", str(base / "runs")).code in (0, 1)
    [folder] = (base / "runs" / "small").iterdir()
    folder.rename(base / "R")
    return base


@pytest.fixture
def folder(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, a copy of it."""
    folder = shutil.copytree(base, tmp_path / "work")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    return folder


def write(command: str, out: str, *options: str) -> tuple[object, str, str]:
    """Run a command with an output file."""
    name = ["--out", out]
    return run(*FILES[command].split(), *name, *options)


def begins_like(command: str, content: bytes) -> bool:
    """Whether a content is that of a command's file."""
    return {
        "schema": content.startswith(b'{\n"$schema"'),
        "new": b"name: x\n" in content,
        "import": b"name: net\n" in content,
        "python": b"class Small(nn.Sequential):" in content,
        "safetensors": b'"format"' in content or b"netbuilder" in content[:400],
        "picture": content.startswith(b"\x89PNG"),
    }[command]


@pytest.mark.parametrize("command", FILES)
def test_a_link_is_written_through(command: str, folder: Path) -> None:
    """The link stays; its target is new, replaced with --force, and otherwise refused."""
    (folder / "other").mkdir()
    target, link = folder / "other" / "target.png", folder / "link.png"
    link.symlink_to("other/target.png")
    assert write(command, "link.png")[0] == 0
    assert begins_like(command, target.read_bytes())
    target.write_text("mine")
    code, _, err = write(command, "link.png")
    assert code == 2
    assert f"a link to {target}: the file exists; --force replaces it" in err
    assert target.read_text() == "mine"
    assert write(command, "link.png", "--force")[0] == 0
    assert begins_like(command, target.read_bytes())
    assert link.is_symlink()
    assert sorted(path.name for path in target.parent.iterdir()) == ["target.png"]


def loop(path: Path) -> None:
    """A link to itself."""
    path.symlink_to(path.name)


def bound(path: Path) -> None:
    """A socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "folder": (Path.mkdir, "it is a folder; name a file"),
    "link to a folder": (lambda path: path.symlink_to("."), "it is a folder; name a file"),
    "loop": (loop, "its links form a loop"),
    "socket": (bound, "it is a socket"),
    "link without a folder": (lambda path: path.symlink_to("none/a.png"), "there is no folder"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("command", FILES)
def test_what_cannot_take_an_output_is_refused(command: str, kind: str, folder: Path) -> None:
    """The line names the option, the exit code is 2, and the path stays as it is."""
    create, words = REFUSED[kind]
    create(folder / "out.png")
    before = (folder / "out.png").lstat()
    code, out, err = write(command, "out.png")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("--out out.png: ")
    assert words in err
    after = (folder / "out.png").lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("command", FILES)
def test_a_pipe_takes_the_output(command: str, folder: Path) -> None:
    """Its reader gets the content of the file, and the pipe stays a pipe."""
    os.mkfifo("pipe")
    contents: list[bytes] = []
    reader = Thread(target=lambda: contents.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    code, _, err = write(command, "pipe")
    assert code == 0, err
    reader.join(60)
    assert begins_like(command, contents[0])
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can create a device")
@pytest.mark.parametrize("command", FILES)
def test_a_device_takes_the_output(command: str, folder: Path) -> None:
    """A device like /dev/null, and a link to it, stay what they are; --force changes nothing."""
    try:
        os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        Path("null").write_text("")
    except OSError:
        pytest.skip("this container forbids devices")
    Path("link").symlink_to("null")
    for out, options in (("null", []), ("link", ["--force"])):
        assert write(command, out, *options)[0] == 0
        assert stat.S_ISCHR(Path(out).stat().st_mode)
    assert Path("link").is_symlink()


@pytest.mark.long
@pytest.mark.parametrize("command", FILES)
def test_a_dash_is_standard_output(command: str, folder: Path) -> None:
    """It gets the content alone; messages go to standard error, and no file is created."""
    before = sorted(folder.iterdir())
    process = subprocess.run(
        [sys.executable, "-m", "netbuilder", *FILES[command].split(), "--out", "-"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert begins_like(command, process.stdout)
    assert sorted(folder.iterdir()) == before


def test_a_dash_is_standard_output_for_text(folder: Path) -> None:
    """The text is the same as without the option."""
    for command in ("schema", "python", "import"):
        assert write(command, "-")[:2] == run(*FILES[command].split())[:2]
    code, out, err = write("new", "-")
    assert (code, begins_like("new", out.encode())) == (0, True)
    assert "netbuilder check" not in out + err


@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_is_nothing_else(command: str, folder: Path) -> None:
    """A file, a pipe, a link that leads nowhere, a loop, and a dash are refused."""
    Path("file").write_text("mine")
    os.mkfifo("pipe")
    Path("lost").symlink_to("none")
    loop(Path("loop"))
    before = sorted(folder.iterdir())
    for out in ("file", "pipe", "lost", "loop", "file/below", "pipe/below", "-"):
        code, printed, err = run(*FOLDERS[command].split(), "--out", out)
        assert (code, printed, len(err.splitlines())) == (2, "", 1), (out, err)
        assert err.startswith(f"--out {out}: ")
        assert err.endswith("name a folder\n")
    assert sorted(folder.iterdir()) == before


def test_a_report_keeps_links_and_files_of_strangers(folder: Path) -> None:
    """A link in its folder is written through, and no foreign temporary file is removed."""
    report = Path("report")
    report.mkdir()
    (report / ".draft.999999999.tmp").write_text("mine")
    (report / "report.html").symlink_to("../page.html")
    assert run("report", "small.yaml", "--out", "report", "--force").code == 0
    assert (report / "report.html").is_symlink()
    assert "<html" in Path("page.html").read_text()
    assert (report / ".draft.999999999.tmp").read_text() == "mine"


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_killed_export_leaves_nothing_that_the_next_does_not_remove(
    nth: int, folder: Path
) -> None:
    """SIGKILL in the middle of an export leaves the old file; strangers' files stay."""
    out = Path("out")
    out.mkdir()
    (out / ".mine.123.tmp").write_text("mine")
    (out / "net.safetensors").write_text("old")
    words = [*FILES["safetensors"].split(), "--out", "out/net.safetensors", "--force"]
    killed = [
        sys.executable,
        str(HELPERS / "killed.py"),
        str(out),
        ".netbuilder-",
        "open",
        str(nth),
    ]
    process = subprocess.run([*killed, *words], check=False)
    assert process.returncode == -signal.SIGKILL
    assert (out / "net.safetensors").read_text() == "old"
    assert run(*words).code == 0
    assert begins_like("safetensors", (out / "net.safetensors").read_bytes())
    assert {path.name for path in out.iterdir()} == {".mine.123.tmp", "net.safetensors"}
