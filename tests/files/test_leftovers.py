"""Temporary files: their names, their owners and their removal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from budgets import examples
from hypothesis import given
from hypothesis import strategies as st

from netbuilder._files import (
    remove_leftovers,
    remove_own,
    temporary_file,
    temporary_folder,
    write_atomic,
    write_to,
)

HOLDER = """
import sys, time
from pathlib import Path
from netbuilder._files import temporary_file, temporary_folder
with temporary_file(Path("mine")), temporary_folder(Path("folder")) as folder:
    (folder / "part").write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Start a process that uses a temporary file and a temporary folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_only_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    """What a running process uses stays until it is killed."""
    process = holder(tmp_path)
    before = set(tmp_path.iterdir())
    assert len(before) == 2
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == before
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert set(tmp_path.iterdir()) == before
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_path_in_use_by_this_process_stays(tmp_path: Path) -> None:
    """The number of a process repeats, so that its own number says nothing."""
    with temporary_file(tmp_path / "a") as file, temporary_folder(tmp_path / "b") as folder:
        remove_leftovers(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([file, folder])
    assert list(tmp_path.iterdir()) == []


@examples(20, 300)
@given(
    name=st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40)
)
def test_files_of_strangers_stay(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A name of another form belongs to another program, whatever process it has."""
    folder = tmp_path_factory.mktemp("strangers")
    for stranger in (f".{name}.tmp", f".{name}.1.tmp", f".{name}.999999999.tmp", f"{name}.tmp"):
        (folder / stranger).write_text("mine")
    (folder / ".folder.4194304.tmp").mkdir()
    before = set(folder.iterdir())
    remove_leftovers(folder)
    assert set(folder.iterdir()) == before


def test_only_files_and_folders_are_leftovers(tmp_path: Path) -> None:
    """Links, pipes and sockets are not this program's, and none is opened so that it waits."""
    name = ".x.netbuilder-1-{}.tmp"
    (tmp_path / "target").write_text("mine")
    (tmp_path / name.format("00000001")).symlink_to("target")
    os.mkfifo(tmp_path / name.format("00000002"))
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(tmp_path)
        server.bind(name.format("00000003"))
    before = set(tmp_path.iterdir())
    (tmp_path / name.format("00000004")).write_text("half")
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_a_long_name_has_room_for_the_temporary_one(tmp_path: Path) -> None:
    """A name of the greatest length, whose letters take two bytes, can be written."""
    path = tmp_path / ("ä" * 127)
    write_atomic(path, b"content")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"content"]


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    """The new content is as private as the old one."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o640)
    write_atomic(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


def test_a_file_that_is_taken_for_a_leftover_at_once_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may remove it before it is locked."""
    real = os.open
    attempts: list[object] = []

    def slow(path: object, *arguments: int, **keywords: int) -> int:
        if ".netbuilder-" in str(path) and len(attempts) < 2:
            attempts.append(path)
            remove_leftovers(tmp_path)
        return real(path, *arguments, **keywords)  # type: ignore[arg-type]  # as its caller

    monkeypatch.setattr(os, "open", slow)
    write_atomic(tmp_path / "a", b"content")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"content"]
    assert len(attempts) == 2


def test_a_fork_does_not_remove_what_its_parent_uses(tmp_path: Path) -> None:
    """A worker that a signal ends leaves the files of its parent."""
    with temporary_file(tmp_path / "a") as file:
        child = os.fork()
        if not child:
            remove_own()
            os._exit(0)
        os.waitpid(child, 0)
        assert file.exists()
        remove_own()
        assert not file.exists()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the system has no names of open files")
def test_an_open_file_is_appended_to(tmp_path: Path) -> None:
    """/dev/fd/3 and /dev/stderr are what the shell opened, which keeps what it has."""
    with (tmp_path / "log").open("w") as log:
        log.write("before, ")
        log.flush()
        link = tmp_path / "link"
        link.symlink_to(f"/dev/fd/{log.fileno()}")
        write_to(Path(f"/dev/fd/{log.fileno()}"), b"first, ")
        write_to(link, b"second, ")
    assert (tmp_path / "log").read_text() == "before, first, second, "
    assert link.is_symlink()
