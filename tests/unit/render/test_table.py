"""Tables: what shrinks, what goes, and that nothing a person wrote can break them."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from datacat.render.listing import dataset_columns, print_datasets
from datacat.render.table import Column, draw, fit, print_table, shorten, tab_separated
from datacat.text import cell_width
from tests.unit.render.conftest import dataset, make

HOSTILE = [
    "scan[old].csv",
    "[/tmp] x",
    "a:smile:b",
    "\x1b[31mred\x1b[0m",
    "right\u202eleft",
    "zero\u200bwidth",
    "line\nbreak\ttab",
    "日本語",
    "é" * 30,
    "\udcff",
]


@dataclass(frozen=True)
class Row:
    name: str
    size: str
    text: str


COLUMNS: list[Column[Row]] = [
    Column("NAME", lambda row: row.name),
    Column("SIZE", lambda row: row.size, right=True, spare=1),
    Column("TEXT", lambda row: row.text, flexible=True, spare=2),
]
cells = st.text(max_size=30) | st.sampled_from(HOSTILE)
rows_strategy = st.lists(st.builds(Row, cells, cells, cells), min_size=1, max_size=6)


@given(rows=rows_strategy, width=st.integers(20, 120))
def test_a_line_fits_and_the_name_is_whole(rows: list[Row], width: int) -> None:
    screen = make(width=width).screen
    lines = list(draw(COLUMNS, rows, screen=screen))
    assert len(lines) == len(rows) + 1
    names = [COLUMNS[0].text(row) for row in rows]
    longest = max(4, *(cell_width(name) for name in names))
    for line, name in zip(lines[1:], names, strict=True):
        assert line.startswith(name.rstrip()) or line == name.rstrip()
        assert cell_width(line) <= max(width, longest)
        assert "\n" not in line
        assert "\x1b" not in line


@given(rows=rows_strategy)
def test_tab_separated_values_have_the_same_number_of_cells(rows: list[Row]) -> None:
    lines = list(tab_separated(COLUMNS, rows))
    assert lines[0] == "NAME\tSIZE\tTEXT"
    assert all(line.count("\t") == 2 and "\n" not in line for line in lines)


@given(st.text(max_size=40), st.integers(1, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    short = shorten(text, width)
    assert cell_width(short) <= width
    assert short == text or short.endswith("…")


def test_only_the_text_shrinks_then_columns_go() -> None:
    widths = [10, 8, 40]
    assert fit(COLUMNS, widths, 80) == [10, 8, 40]
    assert fit(COLUMNS, widths, 40) == [10, 8, 18]
    # 12 cells of text are the least that says something; below, the text goes, then the size.
    assert fit(COLUMNS, widths, 34) == [10, 8, 12]
    assert fit(COLUMNS, widths, 33) == [10, 8, None]
    assert fit(COLUMNS, widths, 19) == [10, None, None]
    assert fit(COLUMNS, widths, 5) == [10, None, None]


def test_ls_on_eighty_columns() -> None:
    seen = make()
    rows = [
        dataset("cmr"),
        dataset("echo-clips", bytes=141_000_000_000, owner="dana", description="Apical [4] clips"),
    ]
    print_datasets(seen.screen, rows, wide=False)
    assert seen.answers.getvalue() == (
        "NAME        VERSION  OWNER      SIZE  UPDATED      DESCRIPTION\n"
        "cmr         v4       alice   18.6 GB  2 hours ago  UK Biobank short-axis cine,…\n"
        "echo-clips  v4       dana   141.0 GB  2 hours ago  Apical [4] clips\n"
    )


def test_ls_in_a_pipe_has_bytes_and_times() -> None:
    seen = make(tty=False, width=20)
    one = dataset(description="a\tb\nc", in_use_by=("bob", "chen"))
    print_datasets(seen.screen, [one], wide=True)
    header, line = seen.answers.getvalue().splitlines()
    assert header.split("\t") == [
        *("NAME", "VERSION", "OWNER", "SIZE", "UPDATED", "FILES", "IN USE BY", "TAGS", "ALIASES"),
        "DESCRIPTION",
    ]
    assert line == (
        "cmr\tv4\talice\t18600000000\t2026-11-22T10:00:00Z\t4836\tbob, chen\tcardiac, mri"
        "\tgold → v3\ta\\tb\\nc"
    )


def test_ls_on_a_narrow_terminal_keeps_name_and_version() -> None:
    seen = make(width=24)
    print_table(seen.screen, dataset_columns(seen.screen, wide=True), [dataset("a-long-dataset")])
    assert seen.answers.getvalue().splitlines() == [
        "NAME            VERSION",
        "a-long-dataset  v4",
    ]


def test_quiet_ls_is_names() -> None:
    seen = make(quiet=True)
    print_datasets(seen.screen, [dataset("a"), dataset("b")], wide=False)
    assert seen.answers.getvalue() == "a\nb\n"


def test_a_bold_header_is_no_wider() -> None:
    seen = make()
    object.__setattr__(seen.screen, "colour", True)
    print_datasets(seen.screen, [dataset()], wide=False)
    header = seen.answers.getvalue().splitlines()[0]
    assert header.startswith("\x1b[1mNAME")
    assert header.endswith("\x1b[0m")


def test_ten_thousand_rows_are_drawn_at_once() -> None:
    seen = make()
    print_datasets(seen.screen, [dataset(f"d{i}") for i in range(10_000)], wide=False)
    assert seen.answers.getvalue().count("\n") == 10_001
