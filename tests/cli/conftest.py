"""People with a home, a shared store, and the real `datacat` command in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
SECONDS_MAX = 120


@dataclass(frozen=True)
class Outcome:
    """What a command in a pipe did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.out)


@dataclass(frozen=True)
class Person:
    """Someone with a home folder and only the environment that is named here."""

    name: str
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
            "DATACAT_USER": self.name,
            "LANG": "C",
            "TERM": "xterm",
            "TZ": "UTC",
            **self.variables,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "datacat", *arguments]

    def run(
        self, *arguments: str, cwd: Path | None = None, stdin: str = "", code: int | None = 0
    ) -> Outcome:
        """Run a command in a pipe; `code` is what it must return, None for anything."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=cwd or self.home,
            env=self.environment,
            input=stdin.encode(),
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        out = done.stdout.decode(errors="surrogateescape")
        outcome = Outcome(done.returncode, out, done.stderr.decode(errors="surrogateescape"))
        assert code is None or outcome.code == code, f"{arguments}: {outcome}"
        return outcome

    def on_terminal(self, *arguments: str, cwd: Path | None = None, columns: int = 80) -> Terminal:
        """Start a command on a pseudo-terminal of its own."""
        return Terminal(
            self.command(*arguments),
            environment=self.environment,
            folder=cwd or self.home,
            columns=columns,
        )

    def make(self, folder: str, files: Mapping[str, str | bytes]) -> Path:
        """Files in a folder below home."""
        top = self.home / folder
        for name, content in files.items():
            path = top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return top


@pytest.fixture
def person(tmp_path: Path) -> Callable[..., Person]:
    def make(name: str, **variables: str) -> Person:
        home = tmp_path / "home" / name
        home.mkdir(parents=True, exist_ok=True)
        return Person(name, home, variables)

    return make


@pytest.fixture
def alice(person: Callable[..., Person]) -> Person:
    return person("alice")


@pytest.fixture
def bob(person: Callable[..., Person]) -> Person:
    return person("bob")


@pytest.fixture
def store(tmp_path: Path, alice: Person, bob: Person) -> Path:
    """A store that alice and bob use."""
    place = tmp_path / "shared" / "datacat"
    place.parent.mkdir()
    alice.run("init", str(place), "--name", "imaging", "--link", "copy")
    bob.run("init", str(place))
    return place


@pytest.fixture
def golden() -> Callable[..., None]:
    """Compare a text with the one in `golden/`; `DATACAT_GOLDEN=write` writes it instead.

    `hide` maps what differs from run to run (paths, ids) to a word.
    """

    def compare(name: str, text: str, *, hide: Mapping[str, str] | None = None) -> None:
        for pattern, word in (hide or {}).items():
            text = re.sub(pattern, word, text)
        path = GOLDEN / name
        if os.environ.get("DATACAT_GOLDEN") == "write":
            path.write_text(text)
        assert text == path.read_text(), f"{path.name} differs"

    return compare
