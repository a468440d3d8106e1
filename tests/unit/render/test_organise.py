"""What alias, edit and rename say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from datacat.model import AliasChange, AliasInfo, Edit, EditResult, RenameResult
from datacat.render import alias, edit, rename
from tests.unit.render.conftest import NOW, dataset, make, version

HOSTILE = "[red]\x1b[31m\u202e"
ESCAPED = "[red]\\x1b[31m\\u202e"


def there(by: str = "dana") -> AliasInfo:
    return AliasInfo("cmr", "gold", "cmr@v3", NOW - timedelta(days=1), by)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (AliasChange("cmr", "gold", "cmr@v4", None), "cmr@gold → v4"),
        (
            AliasChange("cmr", "gold", "cmr@v4", there()),
            "cmr@gold → v4   (was v3, set by dana yesterday)",
        ),
        (
            AliasChange("cmr", "gold", "cmr@v3", there(HOSTILE), changed=False),
            f"cmr@gold → v3 already, set by {ESCAPED} yesterday.",
        ),
        (
            AliasChange("cmr", "gold", None, there()),
            "There is no cmr@gold any more.   (was v3, set by dana yesterday)",
        ),
    ],
)
def test_alias(change: AliasChange, text: str) -> None:
    assert alias.summary(change, now=NOW) == text


def test_aliases_in_a_pipe_and_on_a_terminal() -> None:
    seen = make(tty=False)
    alias.print_aliases(seen.screen, [there(HOSTILE)])
    assert seen.answers.getvalue() == (
        f"ALIAS\tVERSION\tSET BY\tWHEN\ngold\tv3\t{ESCAPED}\t2026-11-21T12:00:00Z\n"
    )
    seen = make()
    alias.print_aliases(seen.screen, [there()])
    assert seen.answers.getvalue() == (
        "ALIAS  VERSION  SET BY  WHEN\ngold   v3       dana    yesterday\n"
    )


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        (
            [Edit("owner", "alice", "dana"), Edit("tags", "cardiac, mri", "cardiac, mri, ukb")],
            "cmr: owner alice → dana; tags cardiac, mri, ukb",
        ),
        ([Edit("tags", "x", ""), Edit("description", "x", "")], "cmr: no tags; no description"),
        ([Edit("description", "", HOSTILE)], f'cmr: description "{ESCAPED}"'),
        ([], "cmr is so already; nothing was changed."),
    ],
)
def test_edit_of_a_dataset(edits: list[Edit], text: str) -> None:
    assert edit.summary(EditResult(dataset(), None, tuple(edits))) == text


def test_edit_of_a_version() -> None:
    edits = (
        Edit("message", "a", "fix\nmasks"),
        Edit("param", None, 3e-4, "lr"),
        Edit("param", 1, True, HOSTILE),
        Edit("metric", 0.9, None, "dice"),
    )
    assert edit.summary(EditResult(dataset(), version(3), edits)) == (
        f'cmr@v3: message "fix\\nmasks"; lr 0.0003; {ESCAPED} 1 → true; dice removed (was 0.9)'
    )


def test_rename() -> None:
    assert rename.summary(RenameResult("cmr", "cmr-ukb", "cmr-ukb@v3")) == (
        "cmr is now cmr-ukb. The old name keeps working: datacat pull cmr@v3 still does."
    )
    assert rename.summary(RenameResult("cmr", "cmr", "cmr@v3", changed=False)) == (
        "cmr is called so already."
    )
    assert list(rename.now_called("CMR@v3/x.csv", "cmr-ukb")) == ["cmr is now cmr-ukb"]
    assert list(rename.now_called("CMR@v3", "cmr")) == []
