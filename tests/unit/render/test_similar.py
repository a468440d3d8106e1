"""What is said of a folder that resembles a version: as promised, at any width, with any name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from datacat.model import AddResult, Relation, Similar, SimilarFound, StatusEntry
from datacat.render import add, similar
from datacat.render.status import print_status
from datacat.text import bytes_of, cell_width
from tests.unit.render.conftest import NOW, make, version

CMR = Similar(
    ref="cmr@v3",
    author="alice",
    created_at=NOW - timedelta(days=9),
    relation=Relation.NEAR,
    same_files=4_740,
    same_bytes=18_200_000_000,
    folder_files=4_836,
    folder_bytes=18_560_000_000,
    files=4_812,
    bytes=18_400_000_000,
    added=24,
    modified=72,
    added_first=("sub-4811/sax.nii.gz", "sub-4812/sax.nii.gz", "sub-4813/sax.nii.gz"),
    modified_first=("sub-0017/mask.nii.gz", "sub-0023/mask.nii.gz", "sub-0042/mask.nii.gz"),
)


def found(*others: Similar, best: Similar = CMR, newest: str = "cmr@v3") -> SimilarFound:
    return SimilarFound(
        path="/home/bob/cmr_final_v2_new",
        similar=(best, *others),
        newest=newest,
        next_version="cmr@v4",
        separate="cmr-final-v2-new@v1",
        differences=lambda: iter(()),
    )


def asked(question: SimilarFound, *, width: int = 80) -> list[str]:
    return list(similar.question(question, screen=make(width=width).screen))


def test_the_question_as_it_is_promised() -> None:
    assert asked(found()) == [
        "This is 98% the same as cmr@v3 by alice (4,740 of 4,836 files, 18.2 of 18.6 GB).",
        "  + 24 files only here       sub-4811/sax.nii.gz, sub-4812/sax.nii.gz, …",
        "  ~ 72 files differ          sub-0017/mask.nii.gz, sub-0023/mask.nii.gz, …",
        "  - 0 files only in cmr@v3",
        "",
        "  1  save as the next version of cmr   (cmr@v4)",
        "  2  save as a separate dataset        (cmr-final-v2-new@v1)",
        "  3  list all differences",
        "  q  do nothing",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 120, 300])
def test_names_take_the_room_that_there_is(width: int) -> None:
    line = asked(found(), width=width)[1]
    names = line.split("only here")[1].strip().split(", ")
    assert names[0] == "sub-4811/sax.nii.gz"
    assert names[-1] == "…"
    assert len(names) == 2 or cell_width(line) <= width
    assert len(names) == {300: 4, 120: 4, 80: 3, 79: 3}.get(width, 2)


def test_all_names_when_they_are_few() -> None:
    best = replace(CMR, added=2, added_first=("a", "b"), removed=1, removed_first=("c",))
    lines = asked(found(best=best))
    assert lines[1].endswith("  a, b")
    assert lines[3] == "  - 1 file only in cmr@v3   c"


def test_what_else_is_similar_and_what_is_newer() -> None:
    part = replace(
        CMR, ref="ukb@v1", relation=Relation.PART, same_files=4_836, same_bytes=CMR.folder_bytes
    )
    copy = replace(CMR, ref="copy@v2", author="dana", same_bytes=17_000_000_000, renamed=0)
    lines = asked(found(copy, part, best=replace(CMR, renamed=3), newest="cmr@v5"))
    assert lines[4:8] == [
        "  > 3 files under another name",
        "  Also: 91% the same as copy@v2 by dana (4,740 of 4,836 files, 17.0 of 18.6 GB)",
        "  Also: all of this is in ukb@v1 by alice, which has 4,812 files, 18.4 GB",
        "  The newest is cmr@v5: what is new in it is not here.",
    ]
    assert similar.usual(found()) == "1"
    assert similar.usual(found(newest="cmr@v5")) == "2"


def test_a_share_is_never_rounded_up() -> None:
    assert similar.percent(replace(CMR, same_bytes=CMR.folder_bytes - 1)) == 99
    assert similar.percent(replace(CMR, same_bytes=CMR.folder_bytes)) == 100
    inside = replace(CMR, relation=Relation.CONTAINS, same_bytes=CMR.bytes, same_files=CMR.files)
    assert similar.enclosing(inside) == (
        "all of cmr@v3 by alice (4,812 files, 18.4 GB) is inside this"
    )
    assert similar.enclosing(replace(inside, same_files=4_811)).startswith("100% of cmr@v3")
    assert similar.enclosing(replace(inside, same_bytes=CMR.bytes - 1)).startswith("99% of cmr@v3")


def test_the_numbers_are_of_the_larger_one() -> None:
    larger = replace(CMR, bytes=20_000_000_000, files=5_000)
    assert similar.sameness(larger) == (
        "91% the same as cmr@v3 by alice (4,740 of 5,000 files, 18.2 of 20.0 GB)"
    )
    assert larger.same_bytes_ratio == 0.91
    assert bytes_of(900_000, 1_200_000) == "900.0 kB of 1.2 MB"
    assert bytes_of(0, 0) == "0 of 0 B"


def test_a_folder_that_datacat_did_not_make() -> None:
    entry = StatusEntry(
        path="/home/bob/proj/old",
        ref=None,
        state="untracked",
        newest=None,
        newest_by=None,
        changes=(),
        partial=False,
        linked=False,
        files=4_836,
        bytes=18_560_000_000,
        similar=(CMR, replace(CMR, ref="ukb@v1", relation=Relation.CONTAINS, removed=1)),
    )
    screen = make()
    print_status(screen.screen, [entry])
    assert screen.answers.getvalue().splitlines() == [
        "./old   not a datacat copy. Compared by content (4,836 files, 18.6 GB):",
        "  98% the same as cmr@v3 (alice, 9 days ago): 24 files only here, 72 differ",
        "  98% of ukb@v1 by alice (4,812 files, 18.4 GB) is inside this",
        "  See:  datacat diff cmr@v3 ./old",
    ]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"added": 1}, "1 file only here"),
        ({"modified": 1}, "1 file differs"),
        ({"modified": 2, "removed": 1}, "2 files differ, 1 only in cmr@v3"),
        ({"renamed": 5}, "5 files under another name"),
        ({}, "the same files"),
    ],
)
def test_differences_in_few_words(counts: dict[str, int], said: str) -> None:
    only = replace(CMR, **{"added": 0, "modified": 0, "removed": 0, "renamed": 0, **counts})  # type: ignore[arg-type]
    line = next(iter(similar.status_lines([only], screen=make().screen, typed="./x")))
    assert line.endswith(f": {said}")


def test_words_of_others_are_escaped() -> None:
    hostile = "eve[b]:smile:\x1b[31m\u202e"
    best = replace(CMR, author=hostile, added_first=(hostile,), modified_first=(hostile,))
    part = replace(best, relation=Relation.PART)
    said = [
        *asked(found(part, best=best)),
        *similar.status_lines([best, part], screen=make().screen, typed="x"),
        similar.said_of_a_copy([best], ref="x@v1", dry_run=False),
        *similar.notes([part]),
    ]
    text = "\n".join(said)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("eve[b]:smile:\\x1b[31m\\u202e") == 8


def test_after_a_copy_was_saved() -> None:
    saved = version(1, name="cmr-final", base=None)
    result = AddResult(saved, True, first=True, similar=(CMR,))
    assert add.became_copy(result)
    lines = list(add.summary(result, screen=make().screen, path="./cmr_final", earlier=[]))
    assert lines[-1] == "Teammates run:  datacat pull cmr-final"
    part = replace(result, similar=(replace(CMR, relation=Relation.PART),))
    assert not add.became_copy(part)
    lines = list(add.summary(part, screen=make().screen, path="./cmr_final", earlier=[]))
    assert lines[1] == "  98% of this is in cmr@v3 by alice, which has 4,812 files, 18.4 GB"


def test_the_hint_knows_what_the_folder_was_called() -> None:
    result = AddResult(version(1, name="data-1", base=None), True, first=True)
    hint = "hint: versions are kept for you; a short name like 'data' ages better (--name data)."

    def last(path: str) -> str:
        return list(add.summary(result, screen=make().screen, path=path, earlier=[]))[-1]

    assert last("./data (1)") == hint
    assert last("./data-1") == "Teammates run:  datacat pull data-1"
    assert last("./日本語") == "Teammates run:  datacat pull data-1"
