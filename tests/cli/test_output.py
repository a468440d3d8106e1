"""Broken pipes, full disks, bugs: what the outermost handler makes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Person
from tests.forked import SECONDS_MAX

FAULTY = """
import sys
import datacat.cli.config as config
def fail(*_args):
    {statement}
config._show_all = fail
from datacat.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def run_faulty(who: Person, statement: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FAULTY.format(statement=statement), *arguments],
        env=who.environment,
        cwd=who.home,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


ERRORS = [
    ("InvalidInput", 2, "invalid_input"),
    ("NotFound", 3, "not_found"),
    ("NoStore", 4, "no_store"),
    ("FormatTooNew", 4, "format_too_new"),
    ("Corrupt", 5, "corrupt"),
    ("Refused", 6, "refused"),
    ("Conflict", 6, "conflict"),
    ("OutcomeUnknown", 7, "outcome_unknown"),
    ("StorageFull", 1, "storage_full"),
    ("StorageDenied", 4, "storage_denied"),
    ("Failed", 1, "failed"),
]


@pytest.mark.parametrize(("name", "code", "kind"), ERRORS)
def test_the_exit_code_of_each_class(alice: Person, name: str, code: int, kind: str) -> None:
    statement = f"import datacat.errors as e; raise e.{name}('no luck', hint='Why.')"
    text = run_faulty(alice, statement, "config")
    assert (text.returncode, text.stdout) == (code, "")
    assert text.stderr == "Error: no luck.\n  Why.\n"
    document = run_faulty(alice, statement, "config", "--json")
    assert document.returncode == code
    assert f'"code": "{kind}", "exit": {code}, "message": "no luck.", "hint": "Why."' in (
        document.stdout
    )
    assert document.stderr == ""


def test_a_bug_is_one_line(alice: Person) -> None:
    done = run_faulty(alice, "raise KeyError('x' + chr(10) + 'y')", "config")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: unexpected KeyError: 'x\\ny' (a bug in datacat); run again with --debug.\n"
    )
    assert "Traceback" in run_faulty(alice, "raise KeyError('x')", "--debug", "config").stderr
    document = run_faulty(alice, "raise KeyError('x')", "config", "--json")
    assert '"code": "unexpected"' in document.stdout


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("raise MemoryError", "Error: out of memory.\n  Try fewer jobs:  --jobs 1\n"),
        ("open('/proc/none/x')", "Error: no such file or directory: /proc/none/x.\n"),
        ("raise OSError(28, 'No space left on device')", "Error: no space left on device.\n"),
        ("def f(): f()\n    f()", "Error: unexpected RecursionError: maximum recursion"),
    ],
)
def test_what_the_system_refuses(alice: Person, statement: str, text: str) -> None:
    done = run_faulty(alice, statement, "config")
    assert done.returncode == 1
    assert done.stderr.startswith(text)
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(alice: Person) -> None:
    statement = "sys.stdout.write('line' * 5_000_000)"
    process = subprocess.Popen(
        [sys.executable, "-c", FAULTY.format(statement=statement), "config"],
        env=alice.environment,
        cwd=alice.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=SECONDS_MAX) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_the_output(alice: Person) -> None:
    for arguments in (["--help"], ["config"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                alice.command(*arguments),
                env=alice.environment,
                cwd=alice.home,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=SECONDS_MAX,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == "Error: cannot write the output: No space left on device.\n"


def test_a_name_that_is_not_utf8(alice: Person) -> None:
    strange = os.fsdecode(b"caf\xe9")
    (alice.home / strange).mkdir()
    cwd = alice.home / strange
    (cwd / "datacat.toml").write_text("link = 0\n")
    failed = alice.run("config", cwd=cwd, code=2)
    assert "caf\\xe9/datacat.toml" in failed.err
    document = alice.run("config", "--json", cwd=cwd, code=2)
    assert "caf\udce9" in document.json["error"]["message"]
    document.out.encode("ascii")


def test_output_is_utf8_in_any_locale(alice: Person) -> None:
    (alice.home / "datacat.toml").write_text('ignore = ["日本"]\n', encoding="utf-8")
    for variables in ({"LANG": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "latin-1"}):
        who = Person(alice.name, alice.home, variables)
        assert "日本" in who.run("config", "get", "ignore").out


def test_closed_streams(alice: Person) -> None:
    for redirection in ("<&-", "2>&-", ">&-"):
        command = " ".join([sys.executable, "-m", "datacat", "config", redirection])
        done = subprocess.run(
            ["sh", "-c", command],
            env=alice.environment,
            cwd=alice.home,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode in (0, 1), redirection
        assert "Traceback" not in done.stderr, redirection
