"""A client of yaml-language-server, which editors use to complete and explain documents."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAM = shutil.which("yaml-language-server")
"""The server, if it is installed."""

_TAB_STOP = re.compile(r"\$\{\d+:((?:[^\\}]|\\.)*)\}|\$\{\d+\|([^,|]*)[^|]*\|\}|\$\{?\d+\}?")
"""A place in a snippet that the editor selects: with a default, with choices, or empty."""


class LanguageServer:
    """A server that has one document open at a time, in a folder with the JSON Schema."""

    def __init__(self, folder: Path) -> None:
        self._uri = (folder / "document.yaml").as_uri()
        self._version = 0
        self._messages = 0

    def __enter__(self) -> Self:
        assert PROGRAM
        self._process = subprocess.Popen(
            [PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        markdown = {"documentationFormat": ["markdown", "plaintext"], "snippetSupport": True}
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "completion": {"completionItem": markdown},
                "hover": {"contentFormat": ["markdown"]},
            },
        }
        self.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": capabilities}
        )
        self._notify("initialized", {})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, text: str) -> None:
        """Show the server a document, in place of the one before."""
        self._version += 1
        document = {"uri": self._uri, "version": self._version}
        if self._version == 1:
            document |= {"languageId": "yaml", "text": text}
            self._notify("textDocument/didOpen", {"textDocument": document})
        else:
            changes = {"textDocument": document, "contentChanges": [{"text": text}]}
            self._notify("textDocument/didChange", changes)

    def complete(self, text: str) -> list[dict[str, Any]]:
        """Return the completions at the mark ``|`` of a document."""
        return list(self._at_mark("textDocument/completion", text)["items"])

    def hover(self, text: str) -> str:
        """Return the Markdown that explains what is at the mark ``|`` of a document."""
        result = self._at_mark("textDocument/hover", text)
        return str(result["contents"]["value"]) if result else ""

    def problems(self, text: str) -> list[str]:
        """Return what the server reports about a document."""
        self.open(text)
        while True:
            message = self._receive()
            if "method" in message and "id" in message:
                self._answer(message)
            elif message.get("method") == "textDocument/publishDiagnostics":
                diagnostics = message["params"]
                if diagnostics.get("version", self._version) == self._version:
                    return [str(problem["message"]) for problem in diagnostics["diagnostics"]]

    def _at_mark(self, method: str, text: str) -> Any:
        before, after = text.split(MARK)
        self.open(before + after)
        lines = before.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        document = {"uri": self._uri}
        return self.request(method, {"textDocument": document, "position": position})

    def request(self, method: str, params: object) -> Any:
        """Return the server's answer to a request; answer its own requests meanwhile."""
        self._messages += 1
        number = self._messages
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message and "id" in message:
                self._answer(message)
            elif message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def _answer(self, message: Mapping[str, Any]) -> None:
        """Answer a request of the server: its settings, of which only the store is not default."""
        result = None
        if message["method"] == "workspace/configuration":
            settings = {
                "yaml": {"schemaStore": {"enable": False}, "hover": True, "completion": True}
            }
            result = [settings.get(item["section"]) for item in message["params"]["items"]]
        self._send({"id": message["id"], "result": result})

    def _notify(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server has stopped"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


MARK = "¦"
"""Where the cursor is in a text."""


def accept(text: str, item: Mapping[str, Any]) -> str:
    """Return a document after a completion is accepted with its placeholders as they are."""
    lines = text.replace(MARK, "").split("\n")
    edit = item["textEdit"]
    start, end = edit["range"]["start"], edit["range"]["end"]
    indent = lines[start["line"]][: start["character"]]
    indent = indent[: len(indent) - len(indent.lstrip())]
    inserted = plain(edit["newText"]).replace("\n", f"\n{indent}")
    head = "\n".join([*lines[: start["line"]], lines[start["line"]][: start["character"]]])
    tail = "\n".join([lines[end["line"]][end["character"] :], *lines[end["line"] + 1 :]])
    return head + inserted + tail


def plain(snippet: str) -> str:
    """Return the text of a snippet: the defaults of its placeholders, their first choices."""
    text = _TAB_STOP.sub(lambda stop: stop[1] or stop[2] or "", snippet)
    return re.sub(r"\\([\\$}])", r"\1", text)
