"""What a notebook shows: tables and cards, escaped; progress; errors on a line or two."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import datacat
from datacat import sql
from datacat.errors import Corrupt, NotFound
from datacat.model import Dataset, Listing
from datacat.model.display import Rows
from datacat.progress import Advanced, Finished, Started, Warned
from datacat.render.notebook_progress import NotebookProgress, in_kernel, notebook_listener
from datacat.store import Store
from tests.conftest import make_client, make_store

NASTY = "<script>alert(1)</script>\x1b[31m\u202e & \"'"


class Cells(HTMLParser):
    """The text of the cells of a page; what tags and attributes there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = make_store("memory", tmp_path, client=make_client(tmp_path))
    folder = tmp_path / "cmr"
    folder.mkdir()
    (folder / "a.csv").write_text("id\n1\n")
    store.add(folder, message=NASTY, tags=["cardiac"], description=NASTY, metrics={"<b>": 0.25})
    (folder / f"{NASTY[:20].replace('/', '|')}.txt").write_text("x")
    store.add(folder, message="second")
    return store


def _aliases(store: Store) -> Any:
    store.alias("cmr@v1", "gold")
    return store.aliases("cmr")


def shown(store: Store, tmp_path: Path) -> dict[str, Any]:
    return {
        "ls": store.ls(),
        "show": store.show("cmr"),
        "version": store.show("cmr@v1").version,
        "versions": store.versions("cmr"),
        "log": store.log("cmr"),
        "feed": store.log(),
        "diff": store.diff("cmr@v1", "cmr@v2"),
        "same": store.diff("cmr@v1", "cmr@v1"),
        "status": store.status([tmp_path / "cmr"]),
        "entry": store.status([tmp_path / "cmr"])[0],
        "pull": store.pull("cmr@v1", dest=tmp_path / "out"),
        "add": store.add(tmp_path / "cmr"),
        "du": store.du(),
        "lineage": store.lineage("cmr"),
        "sql": store.sql("from versions"),
        "no rows": store.sql("from versions where ref = 'none'"),
        "odd answer": store.sql(f"select {sql.literal(NASTY)} as {sql.identifier(NASTY)}"),
        "head": store.head("cmr@v1/a.csv"),
        "scan": store.scan([tmp_path / "cmr"]),
        "find": Rows(store.find_files("*.csv")),
        "aliases": _aliases(store),
        "alias": store.alias("cmr@v1", "gold"),
        "edit": store.edit("cmr", description=NASTY + "!"),
        "verify": store.verify()[0],
        "doctor": datacat.Diagnosis((datacat.Check("a", datacat.CheckState.FAIL, NASTY, NASTY),)),
        "info": store.info,
        "none": Rows(),
        "others": Rows(["<i>"]),
    }


def test_everything_that_is_looked_at_has_a_page_and_nothing_gets_out_of_it(
    store: Store, tmp_path: Path
) -> None:
    for name, value in shown(store, tmp_path).items():
        page = Cells(value._repr_html_())
        assert page.tags <= {"div", "strong", "table", "thead", "tbody", "tr", "th", "td"}, name
        assert page.attributes <= {"style"}, name
        both = "".join(page.texts) + str(value)
        assert not {"\x1b", "\u202e"} & set(both), name
        assert "\n" not in repr(value), "the plain form stays on a line"
    listing = shown(store, tmp_path)["ls"]
    assert "&lt;script&gt;alert(1)" in listing._repr_html_()
    assert "cmr" in str(listing)
    assert "1 dataset, 2 versions" in str(listing)
    assert str(store.log("cmr")).splitlines()[0].split()[:3] == ["VERSION", "WHEN", "BY"]
    assert "~0 -0" in str(store.diff("cmr@v1", "cmr@v2"))
    assert store.log("cmr") == list(store.log("cmr"))


def test_to_look_at_an_answer_does_not_read_it(store: Store) -> None:
    answer = store.sql("select range as n, n * 1.5 as half from range(7_000)")
    page = answer._repr_html_()
    assert page.count("<tr>") == 21
    assert "more rows" in page
    assert answer.first(2) == [(0, 0), (1, 1.5)]
    assert str(answer).splitlines()[0].split() == ["n", "half"]
    assert [row[0] for row in answer] == list(range(7_000))
    assert "was read: n, half" in answer._repr_html_()
    few = store.sql("select 1 as a")
    assert "more" not in few._repr_html_()
    assert few.rows() == [(1,)]
    left = store.sql("select 1 as a")
    assert left.first() == [(1,)]
    left.close()
    assert left.rows() == []


def test_everything_that_is_given_out_shows_itself() -> None:
    plain = {
        "AnswerColumn", "Better", "Change", "Changes", "Check", "Client", "Code", "Collected",
        "Contents", "CopiedVersion", "Copy", "CopyPlace", "Damage", "DatasetDiskUse", "Edge",
        "Edit", "FileInfo", "Kept", "LastPull", "LeftOut", "LineageWarning", "LogEntry", "Mend",
        "Origin", "Parameters", "Periods", "Relation", "Similar", "Unsaved", "Waiting", "Words",
    }  # fmt: skip
    for name in datacat.__all__:
        one = getattr(datacat, name)
        if is_dataclass(one) and name not in plain:
            assert hasattr(one, "_repr_html_"), name


def test_of_many_rows_the_first_are_shown_and_the_others_counted(store: Store) -> None:
    one: Dataset = store.ls().datasets[0]
    many = tuple(replace(one, name=f"d{number}") for number in range(500))
    listing = Listing(many, 500, 900, 10**9)
    page = listing._repr_html_()
    assert page.count("<tr>") == 21
    assert "… 480 more datasets" in page
    assert "… 480 more datasets" in str(listing)
    assert len(page) < 20_000


def test_errors_are_shown_as_the_commands_say_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATACAT_DEBUG", raising=False)
    error = NotFound("no dataset named 'crm'", hint="Did you mean 'cmr'?", commands=["datacat ls"])
    assert error._render_traceback_() == [
        "Error: no dataset named 'crm'.",
        "  Did you mean 'cmr'?     Try:  datacat ls",
    ]
    assert Corrupt("bad\x1b")._render_traceback_() == ["Error: bad\\x1b."]


class Handle:
    """Where the line is drawn; each form it had."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: object, *, display_id: bool) -> Handle:
        assert display_id
        self.update(line)
        return self

    def update(self, line: Any) -> None:
        assert "<span" in line._repr_html_()
        self.lines.append(repr(line))


def test_progress_is_one_line_that_is_changed_and_only_for_long_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now, handle = [0.0], Handle()
    progress = NotebookProgress(clock=lambda: now[0], display=handle)
    progress.listen(Started("Copying", files_total=4, bytes_total=4_000))
    progress.listen(Advanced(1, 1_000))
    now[0] = 1.9
    progress.listen(Advanced(1, 1_000))
    assert handle.lines == []
    now[0] = 2.1
    progress.listen(Advanced(0, 500))
    progress.listen(Advanced(0, 500))
    now[0] = 2.5
    progress.listen(Advanced(1, 0))
    progress.listen(Warned("slow\x1b"))
    progress.listen(Finished("Copying"))
    assert handle.lines == [
        "Copying  62%  2 of 4 files  2.5 kB",
        "Copying  75%  3 of 4 files  3.0 kB",
        "Copying  75%  3 of 4 files  3.0 kB",
    ]
    assert capsys.readouterr().err == "warning: slow\\x1b\n"
    quick = Handle()
    short = NotebookProgress(clock=lambda: 0.0, display=quick)
    short.listen(Started("Reading"))
    short.listen(Advanced(5, 5))
    short.listen(Finished("Reading"))
    assert quick.lines == []
    assert not in_kernel()
    assert notebook_listener()(Started("x", 1)) is None  # type: ignore[func-returns-value]
