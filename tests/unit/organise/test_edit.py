from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from datacat.errors import DatacatError, InvalidInput, NotFound, Refused
from datacat.model import Edit
from datacat.organise.edit import EditRequest
from datacat.store import Store
from tests.unit.organise.conftest import Opened

Interrupted = Callable[..., Store]
HOSTILE = "[red]x[/red]\x1b[31m\u202e\u200b'; drop table fold.datasets; --"


def test_facts_of_a_dataset(team: Opened) -> None:
    result = team("alice").edit("CMR", description="MRI", owner=" dana ", tags=["UKB", "mri"])
    assert result.edits == (
        Edit("owner", "alice", "dana"),
        Edit("description", "", "MRI"),
        Edit("tags", "mri", "mri, ukb"),
    )
    assert result.version is None
    shown = team().show("cmr").dataset
    assert result.dataset == shown
    assert (shown.owner, shown.description, shown.tags) == ("dana", "MRI", ("mri", "ukb"))
    # The next owner may, and so may still who made it; tags can be swapped in one go.
    assert team("dana").edit("cmr", untags=["mri"], tags=["x"]).dataset.tags == ("ukb", "x")
    assert team("alice").edit("cmr", description="").dataset.description == ""


def test_facts_of_a_version(team: Opened) -> None:
    store = team("bob")
    result = store.edit("cmr@3", message="better", params={"lr": 3e-4, "n": None}, metrics={"d": 1})
    assert result.edits == (
        Edit("message", "by bob", "better"),
        Edit("param", None, 3e-4, "lr"),
        Edit("metric", None, 1, "d"),
    )
    result = store.edit("cmr@v3", params={"lr": None, "k": True}, metrics={"d": 1.0})
    assert [(e.key, e.before, repr(e.after)) for e in result.edits] == [
        ("lr", 3e-4, "None"),
        ("k", None, "True"),
        ("d", 1, "1.0"),
    ]
    version = team().show("cmr@v3").version
    assert result.version == version
    assert (version.message, dict(version.params)) == ("better", {"k": True})
    assert repr(version.metrics["d"]) == "1.0"
    assert team().show("cmr@v2").version.message == "by alice"


def test_what_is_so_already_is_not_written_again(team: Opened) -> None:
    store = team("alice")
    store.edit("cmr@v1", params={"lr": 1})
    before = len(store.log())
    assert store.edit("cmr", owner="alice", tags=["mri"], description="").edits == ()
    assert store.edit("cmr@v1", message="by alice", params={"lr": 1, "gone": None}).edits == ()
    assert len(store.log()) == before


def test_only_owner_and_author_may(team: Opened) -> None:
    bob, dana = team("bob"), team("dana")
    bob.edit("cmr@v3", message="mine")
    team("alice").edit("cmr@v3", message="she owns it")
    for store, ref in ((bob, "cmr@v1"), (dana, "cmr@v3")):
        with pytest.raises(Refused) as caught:
            store.edit(ref, message="x", params={"a": "b c"})
        assert (caught.value.kind, caught.value.exit_code) == ("not_yours", 6)
        (command,) = caught.value.commands
        assert command.startswith(f"datacat edit {ref} -m x --param 'a=b c' --force")
    with pytest.raises(Refused):
        bob.edit("cmr", tags=["x"])
    assert dana.edit("cmr", tags=["x"], force=True).dataset.tags == ("mri", "x")


NONSENSE: tuple[tuple[str, Any, str], ...] = (
    ("cmr", {}, "nothing to change"),
    ("cmr@v1", {}, "nothing to change"),
    ("cmr", {"message": "x"}, "belong to one version"),
    ("cmr@latest", {"metrics": {"d": 1}}, "belong to one version"),
    ("cmr@v1", {"owner": "bob"}, "belong to the dataset"),
    ("cmr@v1", {"untags": ["mri"]}, "belong to the dataset"),
    ("cmr/a.txt", {"tags": ["x"]}, "a file has nothing to edit"),
    ("cmr", {"tags": ["two words"]}, "'two words' cannot be a tag"),
    ("cmr", {"tags": [HOSTILE]}, "cannot be a tag"),
    ("cmr", {"tags": ["mri"], "untags": ["MRI"]}, "in --tag and in --untag"),
    ("cmr", {"owner": "  "}, "cannot be an owner"),
    ("cmr", {"owner": HOSTILE}, "cannot be an owner"),
    ("cmr", {"owner": "x" * 65}, "cannot be an owner"),
    ("cmr", {"description": "x" * 5_000}, "cannot be saved"),
    ("cmr", {"description": "\udcff"}, "is not text"),
    ("cmr@v1", {"message": "\0"}, "cannot be saved"),
    ("cmr@v1", {"metrics": {"d": float("nan")}}, "not a finite number"),
    ("cmr@v1", {"metrics": {"d": float("inf")}}, "not a finite number"),
    ("cmr@v1", {"params": {"n": 2**63}}, "cannot be saved"),
    ("cmr@v1", {"params": {"": 1}}, "cannot be saved"),
    ("cmr@v1", {"params": {"x" * 256: 1}}, "cannot be saved"),
    ("cmr@v1", {"params": {str(n): n for n in range(1001)}}, "cannot be saved"),
)


def test_what_makes_no_sense(team: Opened) -> None:
    before = team().log()
    for ref, facts, message in NONSENSE:
        with pytest.raises(InvalidInput, match=message) as caught:
            team("alice").edit(ref, **facts)
        assert caught.value.exit_code == 2
    assert team().log() == before


def test_what_is_not_there(team: Opened) -> None:
    with pytest.raises(NotFound, match="cmr has no tag 'mir'; its tags: mri") as caught:
        team().edit("cmr", untags=["mir"])
    assert caught.value.hint == "Did you mean 'mri'?"
    for ref in ("crm", "cmr@v9"):
        with pytest.raises(NotFound):
            team().edit(ref, message="x")


def test_texts_are_kept_as_they_are(team: Opened) -> None:
    store = team("alice")
    assert store.edit("cmr", description=HOSTILE).dataset.description == HOSTILE
    found = store.edit("cmr@v1", message=HOSTILE, params={HOSTILE: HOSTILE}).version
    assert found is not None
    assert (found.message, dict(found.params)) == (HOSTILE, {HOSTILE: HOSTILE})


def test_decided_when_it_happens(team: Opened, interrupted: Interrupted) -> None:
    """What is said, and who may, is true at the moment of the record and not of the look."""
    theirs: Any = {"owner": "dana", "tags": ["x"], "untags": ["mri"], "description": "dana's"}

    def first() -> None:
        team("alice").edit("cmr", **theirs, force=True)

    result = interrupted("alice", first).edit(
        "cmr", owner="bob", tags=["y"], untags=["mri"], description="dana's"
    )
    assert result.edits == (Edit("owner", "dana", "bob"), Edit("tags", "x", "x, y"))
    assert result.dataset.tags == ("x", "y")

    def take_over() -> None:
        team("bob").edit("cmr", owner="chen")

    with pytest.raises(Refused, match="it belongs to chen"):
        interrupted("bob", take_over).edit("cmr", tags=["z"])

    def values() -> None:
        team("bob").edit("cmr@v3", message="bob's", params={"a": 1, "b": 2}, metrics={"d": None})

    team("bob").edit("cmr@v3", metrics={"d": 0.5})
    store = interrupted("bob", values)
    result = store.edit("cmr@v3", message="new", params={"a": 1, "b": 3}, metrics={"d": 0.5})
    assert result.edits == (
        Edit("message", "bob's", "new"),
        Edit("param", 2, 3, "b"),
        Edit("metric", None, 0.5, "d"),
    )


def test_the_command_that_asks_again_says_the_same() -> None:
    from datacat.cli.arguments import parse_pairs
    from datacat.cli.root import root

    request = EditRequest(
        ref="cmr@v1",
        message="it's; rm -rf",
        tags=("a", "b"),
        params={"x": None, "y": 'say "hi"', "z": True},
        metrics={"d": 0.5},
    )
    import shlex

    words = shlex.split(request.typed())
    assert words[:2] == ["datacat", "edit"]
    command = root().get_command(None, "edit")  # type: ignore[arg-type]
    assert command is not None
    found = command.make_context("edit", words[2:], resilient_parsing=False).params
    assert (found["ref"], found["message"], found["tags"]) == ("cmr@v1", "it's; rm -rf", ("a", "b"))
    assert parse_pairs("--param", found["params"]) == dict(request.params)
    assert parse_pairs("--metric", found["metrics"]) == dict(request.metrics)


def test_a_failed_edit_changes_nothing_for_the_next(team: Opened) -> None:
    with pytest.raises(DatacatError):
        team("alice").edit("cmr", description="x" * 5_000, tags=["x"])
    assert team().show("cmr").dataset.tags == ("mri",)
