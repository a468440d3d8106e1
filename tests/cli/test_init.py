"""`datacat init`: making, joining, and everything that must not happen by mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person


def test_create_then_join(tmp_path: Path, alice: Person, bob: Person) -> None:
    place = tmp_path / "datacat"
    created = alice.run("init", str(place), "--name", "imaging")
    assert created.out == f"{place}\n"
    assert created.err.startswith(f"Created a new team store at {place}.\n")
    assert "you are 'alice'" in created.err
    assert f"Teammates run:  datacat init {place}\n" in created.err
    assert alice.run("config", "get", "store").out == f"{place}\n"
    joined = bob.run("init", str(place))
    assert joined.err.startswith(f"Joined the store 'imaging' at {place}: 0 datasets, ")
    again = bob.run("--json", "init", str(place))
    assert again.json == {
        "store": str(place),
        "created": False,
        "name": "imaging",
        "datasets": 0,
        "people": 1,
        "user": "bob",
    }


def test_a_folder_in_use_is_no_store(tmp_path: Path, alice: Person) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "precious.txt").write_text("x")
    failed = alice.run("init", str(taken), code=1)
    assert failed.err.startswith(f"Error: {taken} is not empty and not a store.\n")
    assert sorted(p.name for p in taken.iterdir()) == ["precious.txt"]
    assert alice.run("init", str(taken / "precious.txt"), code=1).err.startswith("Error: ")


def test_an_empty_folder_becomes_a_store(tmp_path: Path, alice: Person) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "lost+found").mkdir()
    alice.run("init", str(empty))
    assert alice.run("ls", "--json").json == []


def test_a_mistyped_place(tmp_path: Path, alice: Person, store: Path) -> None:
    wrong = store.with_name("datcat")
    refused = alice.run("init", str(wrong), "--yes", code=6)
    assert refused.err.startswith(
        f"Error: {wrong} does not exist, but {store} is a store.\n  Did you mean that?\n"
    )
    assert not wrong.exists()
    wrong = tmp_path / "shred" / "datacat"
    refused = alice.run("init", str(wrong), "--json", code=6)
    assert refused.json["error"]["code"] == "no_parent_folder"
    assert refused.json["error"]["hint"] == f"Did you mean {tmp_path / 'shared'}?"
    assert not wrong.parent.exists()


def test_another_store_needs_a_yes(tmp_path: Path, alice: Person, store: Path) -> None:
    other = tmp_path / "other"
    refused = alice.run("init", str(other), code=6)
    assert refused.err.startswith(f"Error: another store is configured: {store} (from ")
    assert f"datacat init {other} --yes" in refused.err
    assert not other.exists()
    alice.run("init", str(other), "--yes")
    assert alice.run("config", "get", "store").out == f"{other}\n"
    assert alice.run("init", str(other), "--json").json["created"] is False


def test_a_variable_that_goes_first_is_named(
    tmp_path: Path, person: Callable[..., Person], store: Path
) -> None:
    hub = person("carol", DATACAT_STORE=str(store))
    other = tmp_path / "other"
    assert hub.run("init", str(other), code=6).err.count("DATACAT_STORE") == 1
    done = hub.run("init", str(other), "-y")
    assert f"warning: DATACAT_STORE names another store and goes first: {store}\n" in done.err


def test_a_question_on_a_terminal(tmp_path: Path, alice: Person, store: Path) -> None:
    other = tmp_path / "other"
    with alice.on_terminal("init", str(other)) as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type("n\n")
        assert terminal.finish() == 0
    assert not other.exists()
    assert "Another store is configured" in terminal.text
    with alice.on_terminal("init", str(other)) as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type("y\n")
        assert terminal.finish() == 0
    assert f"Created a new team store at {other}." in terminal.text
    assert alice.run("config", "get", "store").out == f"{other}\n"


def test_a_synced_folder_warns(tmp_path: Path, alice: Person) -> None:
    synced = tmp_path / "OneDrive - Hospital"
    synced.mkdir()
    done = alice.run("init", str(synced / "datacat"))
    assert "warning: " in done.err
    assert "OneDrive - Hospital synchronises" in done.err


def test_settings_of_the_team_are_fixed_at_birth(tmp_path: Path, alice: Person) -> None:
    import json

    place = tmp_path / "s"
    alice.run("init", str(place), "--digest", "sha256", "--link", "hardlink")
    written = json.loads((place / "store.json").read_text())
    assert "sha256" in json.dumps(written)
    assert "hardlink" in json.dumps(written)


def test_without_a_store_there_is_a_personal_one(alice: Person) -> None:
    data = alice.make("data", {"a.txt": "a"})
    notice = "using your personal store; to share with a team:  datacat init /shared/path\n"
    assert alice.run("ls").err.count(notice) == 1
    saved = alice.run("add", str(data))
    assert saved.err.count(notice) == 1
    assert saved.out == "data@v1\n"
    assert [d["name"] for d in alice.run("ls", "--json").json] == ["data"]
    assert (alice.home / ".local/share/datacat/store/store.json").exists()
    assert notice not in alice.run("-q", "ls").err


def test_a_store_that_is_not_there(alice: Person, tmp_path: Path) -> None:
    missing = alice.run("-s", str(tmp_path / "nowhere"), "ls", code=4)
    assert str(tmp_path / "nowhere") in missing.err
    assert alice.run("-s", str(tmp_path), "ls", "--json", code=4).json["error"]["exit"] == 4


@pytest.mark.parametrize("name", ["a [b] *?", "per%cent#x", "quo'te\"s", "new\nline", "日本"])
def test_strange_places(tmp_path: Path, alice: Person, name: str) -> None:
    place = tmp_path / name
    alice.run("init", str(place))
    data = alice.make("data", {"a.txt": "a"})
    alice.run("add", str(data))
    assert alice.run("pull", "data", "-d", "back").out == f"{alice.home / 'back'}\n"
    assert (alice.home / "back" / "a.txt").read_text() == "a"
