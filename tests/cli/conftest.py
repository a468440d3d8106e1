"""People with a home, a shared store, and the real `datacat` command in a process of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.forked import ROOT, Ended, Order, run

GOLDEN = Path(__file__).parent / "golden"


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
    ) -> Ended:
        """Run a command, its output in files; `code` is what it must return, None for anything."""
        order = Order(
            arguments=arguments, folder=str(cwd or self.home), environment=self.environment
        )
        ended = run(order, stdin=stdin.encode())
        assert code is None or ended.code == code, f"{arguments}: {ended}"
        return ended

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
