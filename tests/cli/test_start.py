"""Start-up: what a command imports, since that is what a person waits for."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.cli.conftest import Person

HEAVY = {"duckdb", "rich", "fsspec", "msgspec", "tomlkit", "platformdirs", "pathspec", "blake3"}

PROBE = """
import sys
from datacat.cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
names = sorted({name.partition(".")[0] for name in sys.modules})
sys.stderr.write("\\nMODULES " + " ".join(names))
sys.exit(code)
"""


def modules(who: Person, *arguments: str) -> set[str]:
    """The top-level modules that a command has imported when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env=who.environment,
        cwd=who.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], [], ["add", "--help"], ["help", "pull"]])
def test_help_imports_click_and_nothing_heavy(alice: Person, arguments: list[str]) -> None:
    loaded = modules(alice, *arguments)
    assert "click" in loaded
    assert not loaded & HEAVY


def test_the_version_needs_not_even_click(alice: Person) -> None:
    assert "click" not in modules(alice, "--version")


def test_config_needs_no_database(alice: Person) -> None:
    assert not modules(alice, "config", "get", "user") & (HEAVY - {"platformdirs"})


@pytest.mark.usefixtures("store")
def test_ls_in_a_pipe_needs_no_rich_and_no_fsspec(alice: Person) -> None:
    loaded = modules(alice, "ls")
    assert "duckdb" in loaded
    assert not loaded & {"rich", "fsspec", "tomlkit"}


@pytest.mark.usefixtures("store")
def test_ls_on_a_terminal_needs_no_rich_either(alice: Person) -> None:
    with alice.on_terminal("ls", "-v") as terminal:
        assert terminal.finish() == 0
    loaded = modules(alice, "--color", "always", "ls")
    assert "rich" not in loaded


def test_help_is_quick(alice: Person) -> None:
    def seconds() -> float:
        began = time.perf_counter()
        alice.run("--help")
        return time.perf_counter() - began

    # 150 ms are promised on two slow cores; the best of five is what the machine can do.
    assert min(seconds() for _ in range(5)) < 0.3


def test_the_version_is_the_same_everywhere(person: Callable[..., Person]) -> None:
    from datacat import __version__

    who = person("carol")
    for arguments in (["--version"], ["-V"], ["ls", "--version"], ["--json", "-V"]):
        assert who.run(*arguments).out == f"datacat {__version__}\n"
