"""`datacat config`: the table with sources, and changing one's own file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from datacat.config import KEYS
from tests.cli.conftest import Person


def test_every_setting_with_its_source(alice: Person) -> None:
    (alice.home / "datacat.toml").write_text('link = "copy"\n')
    rows = [line.split("\t") for line in alice.run("config").out.splitlines()]
    assert rows[0] == ["KEY", "VALUE", "FROM"]
    found = {key: (value, source) for key, value, source in rows[1:]}
    assert found["user"] == ("alice", "DATACAT_USER")
    assert found["link"] == ("copy", str(alice.home / "datacat.toml"))
    assert found["prompts"] == ("true", "default")
    assert set(found) == set(KEYS)
    assert alice.run("--no-config", "config", "get", "link").out == "auto\n"


def test_on_a_terminal_home_is_a_tilde(alice: Person) -> None:
    (alice.home / "sub").mkdir()
    (alice.home / "datacat.toml").write_text('store = "team"\n')
    with alice.on_terminal("config", cwd=alice.home / "sub") as terminal:
        assert terminal.finish() == 0
    line = next(line for line in terminal.text.splitlines() if line.startswith("store "))
    assert line.split() == ["store", "~/team", "~/datacat.toml"]


def test_set_get_unset(alice: Person) -> None:
    file = alice.home / ".config" / "datacat" / "config.toml"
    assert alice.run("config", "path").out == f"{file}\n"
    done = alice.run("config", "set", "jobs", "3")
    assert done.err == "jobs is now 3  (from ~/.config/datacat/config.toml)\n" or (
        done.err == "jobs is now 3  (from ./.config/datacat/config.toml)\n"
    )
    assert alice.run("config", "get", "jobs").out == "3\n"
    assert alice.run("config", "--json", "get", "jobs").json == {
        "key": "jobs",
        "value": 3,
        "from": str(file),
    }
    alice.run("config", "unset", "jobs")
    assert alice.run("config", "--json", "get", "jobs").json["from"] == "default"
    assert alice.run("config", "unset", "jobs", code=3).out == ""


def test_what_goes_first_is_said(alice: Person) -> None:
    done = alice.run("config", "set", "user", "robert")
    assert "warning: DATACAT_USER goes before your own settings\n" in done.err
    assert alice.run("config", "get", "user").out == "alice\n"


def test_a_bad_value_can_be_mended(alice: Person) -> None:
    file = alice.home / ".config" / "datacat" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("jobs = 'many'\n")
    broken = alice.run("ls", code=2)
    assert broken.err.startswith(f"Error: 'jobs' in {file} is 'many'; expected a whole number")
    assert alice.run("ls", "--json", code=2).json["error"]["code"] == "bad_setting"
    alice.run("config", "set", "jobs", "2")
    assert alice.run("config", "get", "jobs").out == "2\n"


def test_unknown_keys_warn_once(alice: Person) -> None:
    (alice.home / "datacat.toml").write_text("stroe = '/x'\n")
    done = alice.run("config", "get", "user")
    assert done.err == (
        f"warning: unknown setting 'stroe' in {alice.home / 'datacat.toml'};"
        " did you mean 'store'?\n"
    )
    assert alice.run("-q", "config", "get", "user").err == ""


def test_no_traceback_without_debug(person: Callable[..., Person], tmp_path: Path) -> None:
    who = person("dave", XDG_CONFIG_HOME=str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    failed = who.run("config", "set", "jobs", "2", code=1)
    assert failed.err.startswith("Error: cannot write the settings in ")
    assert "Traceback" not in failed.err
    assert "Traceback" in who.run("--debug", "config", "set", "jobs", "2", code=1).err
    debugging = person("dave", XDG_CONFIG_HOME=str(tmp_path / "file"), DATACAT_DEBUG="1")
    assert "Traceback" in debugging.run("config", "set", "jobs", "2", code=1).err
