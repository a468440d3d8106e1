"""What `add` does with a folder that is nearly a version: whom it asks, when, and what follows."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.errors import InvalidInput
from datacat.model import AddResult, Layout, Relation, SaveAs, SimilarFound
from datacat.opened import Client
from datacat.progress import Event, Started
from datacat.store import Store
from datacat.working_copy import likely
from tests.trees import content

Opened = Callable[..., Store]

BASE = {f"sub-{n:03}/mask.bin": content(900 + n, 2 * n + 1) for n in range(60)}
EDITED = {
    **{path: data for path, data in BASE.items() if path > "sub-001"},
    "sub-002/mask.bin": b"edited",
    "notes.txt": b"mine",
}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


class Asked:
    """Answers as told, and keeps what it was asked."""

    def __init__(self, answer: SaveAs) -> None:
        self.answer = answer
        self.questions: list[SimilarFound] = []
        self.differing: list[str] = []

    def __call__(self, found: SimilarFound) -> SaveAs:
        self.questions.append(found)
        self.differing = [f"{c.change} {c.path}" for c in found.differences()]
        return self.answer


def segments(store: Store) -> int:
    return sum(1 for _ in store._opened.backend.keys("segments/"))


@pytest.fixture
def cmr(store: Opened, tmp_path: Path) -> Store:
    opened = store()
    opened.add(write(tmp_path / "cmr", BASE), message="first")
    return opened


def test_as_the_next_version(cmr: Store, tmp_path: Path) -> None:
    asked = Asked(SaveAs.NEXT_VERSION)
    folder = write(tmp_path / "cmr_final", EDITED)
    result = cmr.add(folder, message="mine", decide=asked)
    (question,) = asked.questions
    assert (question.newest, question.next_version) == ("cmr@v1", "cmr@v2")
    assert question.separate == "cmr-final@v1"
    assert question.path == str(folder)
    assert asked.differing == [
        "added notes.txt",
        "removed sub-000/mask.bin",
        "modified sub-002/mask.bin",
    ]
    assert (result.version.ref, result.version.base, result.first) == ("cmr@v2", "cmr@v1", False)
    assert result.version.changes.modified == 1
    assert result.similar == question.similar
    assert [version.ref for version in cmr.versions("cmr")] == ["cmr@v2", "cmr@v1"]
    # It is a copy of that dataset from now on.
    (folder / "more").write_bytes(b"more")
    assert cmr.add(folder, decide=asked).version.ref == "cmr@v3"
    assert len(asked.questions) == 1


def test_as_a_separate_dataset(cmr: Store, tmp_path: Path) -> None:
    asked = Asked(SaveAs.SEPARATE)
    result = cmr.add(write(tmp_path / "cmr_final", EDITED), decide=asked)
    assert len(asked.questions) == 1
    assert (result.version.ref, result.first) == ("cmr-final@v1", True)
    assert result.version.new_bytes == len(b"edited") + len(b"mine")
    assert result.similar[0].ref == "cmr@v1"


def test_without_anybody_to_ask(cmr: Store, tmp_path: Path) -> None:
    result = cmr.add(write(tmp_path / "cmr_final", EDITED))
    assert result.version.ref == "cmr-final@v1"
    assert [(one.ref, one.relation) for one in result.similar] == [("cmr@v1", Relation.NEAR)]


def test_nothing_leaves_no_trace(cmr: Store, tmp_path: Path) -> None:
    asked, before = Asked(SaveAs.NOTHING), segments(cmr)
    folder = write(tmp_path / "cmr_final", EDITED)
    containers = list(cmr._opened.backend.keys("packs/"))
    result = cmr.add(folder, decide=asked)
    assert (result.created, result.declined, result.version.ref) == (False, True, "cmr@v1")
    assert segments(cmr) == before
    assert list(cmr._opened.backend.keys("packs/")) == containers
    assert not (folder / ".datacat").exists()
    assert [d.name for d in cmr.ls().datasets] == ["cmr"]


def test_who_gives_up_saves_nothing(cmr: Store, tmp_path: Path) -> None:
    def interrupted(_: SimilarFound) -> SaveAs:
        raise KeyboardInterrupt

    folder = write(tmp_path / "cmr_final", EDITED)
    with pytest.raises(KeyboardInterrupt):
        cmr.add(folder, decide=interrupted)
    assert [d.name for d in cmr.ls().datasets] == ["cmr"]
    assert cmr.add(folder).version.ref == "cmr-final@v1"


def test_who_is_not_asked(cmr: Store, tmp_path: Path) -> None:
    """What says where it goes, what is exactly known, and what is hardly alike."""
    asked = Asked(SaveAs.NOTHING)

    def add(folder: str, files: dict[str, bytes], **options: object) -> AddResult:
        return cmr.add(write(tmp_path / folder, files), decide=asked, **options)  # type: ignore[arg-type]

    assert not add("same", BASE).created
    assert add("different", {"a": b"other"}).version.ref == "different@v1"
    some = dict(list(BASE.items())[:30])
    parts = add("part", some)
    assert (parts.version.ref, parts.similar[0].relation) == ("part@v1", Relation.PART)
    assert add("named", EDITED, name="cmr").version.ref == "cmr@v2"
    assert add("new", {**EDITED, "x": b"x"}, new=True).similar == ()
    copy = Path(cmr.pull("cmr@v2", dest=tmp_path / "pulled").path)
    (copy / "y").write_bytes(b"y")
    assert cmr.add(copy, name="fork", decide=asked).similar == ()
    assert asked.questions == []


def test_a_dry_run_says_it_and_asks_nobody(cmr: Store, tmp_path: Path) -> None:
    asked = Asked(SaveAs.NEXT_VERSION)
    result = cmr.add(write(tmp_path / "cmr_final", EDITED), dry_run=True, decide=asked)
    assert (result.dry_run, result.version.ref) == (True, "cmr-final@v1")
    assert [one.ref for one in result.similar] == ["cmr@v1"]
    assert asked.questions == []


def test_the_newest_version_and_the_next_number_are_told(cmr: Store, tmp_path: Path) -> None:
    other = {path: data[::-1] for path, data in BASE.items()}
    for number in range(3):
        other["n"] = b"%d" % number
        cmr.add(write(tmp_path / f"v{number}", other), name="cmr")
    cmr.rm(["cmr@v4"], force=True)
    asked = Asked(SaveAs.NEXT_VERSION)
    result = cmr.add(write(tmp_path / "cmr_final", EDITED), decide=asked)
    (question,) = asked.questions
    assert question.similar[0].ref == "cmr@v1"
    assert (question.newest, question.next_version) == ("cmr@v3", "cmr@v5")
    assert result.version.ref == "cmr@v5"


def test_the_threshold_is_a_setting_of_the_store(
    cmr: Store, client: Callable[..., Client], tmp_path: Path
) -> None:
    half = {**dict(list(BASE.items())[:30]), "other": content(30_000, 3)}
    folder = write(tmp_path / "half", half)
    with Store.open(cmr.url, client=client("bob"), similar=0.3) as generous:
        assert [one.relation for one in generous.add(folder, dry_run=True).similar] == [
            Relation.NEAR
        ]
    assert cmr.add(folder, dry_run=True).similar == ()
    with pytest.raises(InvalidInput):
        Store.open(cmr.url, client=client("bob"), similar=1.5)


def test_an_edit_in_a_copy_costs_its_difference(
    store: Opened, tmp_path: Path, client: Callable[..., Client]
) -> None:
    """A large file that was changed in a folder under another name, kept whole in the first one."""
    opened = store()
    made = random.Random(3)
    large, rest = made.randbytes(6 << 20), {f"f{n}": made.randbytes(1 << 20) for n in range(30)}
    opened.add(write(tmp_path / "cmr", {**rest, "scan.raw": large}), layout=Layout.AUTO)
    changed = large[: 3 << 20] + b"changed" + large[3 << 20 :]
    result = opened.add(write(tmp_path / "cmr_final", {**rest, "scan.raw": changed}))
    assert result.version.ref == "cmr-final@v1"
    assert result.similar[0].modified_first == ("scan.raw",)
    assert result.version.stored_bytes < 400_000
    got = opened.pull("cmr-final", dest=tmp_path / "got")
    assert (Path(got.path) / "scan.raw").read_bytes() == changed


class Reading:
    """Counts the files and bytes that phases of reading are announced for."""

    def __init__(self) -> None:
        self.phases: list[tuple[int, int]] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started) and event.phase == "Reading":
            self.phases.append((event.files_total, event.bytes_total))


def test_what_is_new_is_read_once(cmr: Store, tmp_path: Path) -> None:
    """Sizes that the store does not know are not read first; nor is more than a sample of data that
    is new, although its sizes are common."""
    reading = Reading()
    cmr.add(write(tmp_path / "other", {"a": b"x" * 7, "b": b"y" * 70_000}), listener=reading)
    assert reading.phases == [(2, 70_007)]
    made = random.Random(2)
    slices = {f"{n:04}.dcm": made.randbytes(900 + n % 60) for n in range(400)}
    reading = Reading()
    result = cmr.add(write(tmp_path / "slices", slices), listener=reading)
    assert result.similar == ()
    sample, everything = reading.phases
    assert sample[0] == likely.SAMPLE_FILES
    assert everything[0] == 400


def test_what_the_store_has_is_read_once(cmr: Store, tmp_path: Path) -> None:
    reading = Reading()
    cmr.add(write(tmp_path / "cmr_final", EDITED), listener=reading)
    assert sum(files for files, _ in reading.phases) == len(EDITED)


def test_the_answer_is_kept_when_the_add_starts_over(
    cmr: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datacat.working_copy import save
    from datacat.working_copy.publish import CondemnedMeanwhileError

    tries = []
    real = save.publish

    def condemned_once(*arguments: object) -> object:
        tries.append(1)
        if len(tries) == 1:
            raise CondemnedMeanwhileError
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(save, "publish", condemned_once)
    asked = Asked(SaveAs.NEXT_VERSION)
    result = cmr.add(write(tmp_path / "cmr_final", EDITED), decide=asked)
    assert (len(tries), len(asked.questions)) == (2, 1)
    assert result.version.ref == "cmr@v2"
