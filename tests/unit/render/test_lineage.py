"""The tree of `lineage`, drawn from facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from datacat.model import Code, Edge, Lineage, LineageWarning, Version, WarningKind
from datacat.render.lineage import LINES_SHOWN, print_lineage, remarks
from tests.unit.render.conftest import NOW, make, version


def node(ref: str, author: str, days: int, **facts: Any) -> tuple[str, Version]:
    name, _, number = ref.partition("@v")
    made = NOW - timedelta(days=days)
    return ref, version(int(number), name=name, author=author, created_at=made, **facts)


def lineage(**changes: Any) -> Lineage:
    nodes = [
        node(
            "unet-cmr@v9",
            "bob",
            1,
            metrics={"dice": 0.912},
            params={"lr": 3e-4, "epochs": 80},
            code=Code("https://host/seg.git", "4f2c1aa0" * 5, True),
        ),
        node("cmr@v3", "alice", 9),
        node("ukb-raw@v1", "dana", 60),
        node("cmr-labels@v2", "bob", 1),
        node("cmr@v2", "bob", 21),
        node("cmr-report@v2", "chen", 0),
    ]
    facts: dict[str, Any] = {
        "ref": "unet-cmr@v9",
        "up": (
            Edge("cmr@v3", "unet-cmr@v9"),
            Edge("cmr-labels@v2", "unet-cmr@v9"),
            Edge("ukb-raw@v1", "cmr@v3"),
            Edge("cmr@v2", "cmr-labels@v2"),
        ),
        "down": (Edge("unet-cmr@v9", "cmr-report@v2"),),
        "nodes": dict(nodes),
        "warnings": (
            LineageWarning(WarningKind.TWO_VERSIONS, "cmr@v3", "cmr@v2"),
            LineageWarning(WarningKind.NEWER_VERSION, "cmr@v3", "cmr@v4"),
            LineageWarning(WarningKind.TWO_VERSIONS, "cmr@v2", "cmr@v3"),
            LineageWarning(WarningKind.TRASHED, "cmr@v2"),
            LineageWarning(WarningKind.GONE, "ukb-raw@v1"),
        ),
    }
    return Lineage(**(facts | changes))


def drawn(of: Lineage, **options: Any) -> list[str]:
    seen = make(**options)
    print_lineage(seen.screen, of)
    return seen.answers.getvalue().splitlines()


def test_a_tree_with_everything() -> None:
    assert drawn(lineage()) == [
        "unet-cmr@v9   bob, yesterday   dice 0.912   lr 0.0003   epochs 80",
        "├ made from",
        "│  ├ cmr@v3          alice, 9 days ago   ! v4 is newer",
        "│  │  └ ukb-raw@v1   dana, 2026-09-23    ! gone for good",
        "│  └ cmr-labels@v2   bob, yesterday",
        "│     └ cmr@v2       bob, 3 weeks ago    ! an older cmr than above; in the trash",
        "├ code  seg @ 4f2c1aa, uncommitted changes",
        "└ used by",
        "   └ cmr-report@v2   chen, just now",
    ]


def test_in_a_pipe() -> None:
    lines = drawn(lineage(), tty=False)
    assert lines[0] == "DIRECTION\tFROM\tTO\tBY\tAT\tWARNINGS"
    assert lines[4] == (
        "up\tcmr@v2\tcmr-labels@v2\tbob\t2026-11-01T12:00:00Z\ttwo_versions cmr@v3, trashed"
    )
    assert lines[5].startswith("down\tunet-cmr@v9\tcmr-report@v2\tchen\t")


def test_a_diamond_is_unfolded_once_and_where_it_is_nearest() -> None:
    edges = (
        Edge("far@v1", "unet-cmr@v9"),
        Edge("base@v1", "unet-cmr@v9"),
        Edge("base@v1", "far@v1"),
        Edge("root@v1", "base@v1"),
    )
    nodes = dict(node(ref, "al", 1) for ref in ("unet-cmr@v9", "far@v1", "base@v1", "root@v1"))
    assert drawn(lineage(up=edges, down=(), nodes=nodes, warnings=())) == [
        "unet-cmr@v9   al, yesterday",
        "└ made from",
        "   ├ far@v1       al, yesterday",
        "   │  └ base@v1   …",
        "   └ base@v1      al, yesterday",
        "      └ root@v1   al, yesterday",
    ]


def test_wide_deep_and_long_ones_are_cut() -> None:
    wide = tuple(Edge("a@v1", f"out-{n}@v1") for n in range(10_000))
    nodes = dict([node("a@v1", "al", 1), *(node(e.result, "al", 1) for e in wide)])
    fan = Lineage("a@v1", (), wide, nodes, ())
    lines = drawn(fan)
    assert len(lines) == 23
    assert lines[-1] == "   └ … 9,980 more"
    assert len(drawn(fan, verbose=1)) == 10_002
    assert len(drawn(fan, tty=False)) == 10_001
    deep = tuple(Edge(f"n@v{n}", f"n@v{n - 1}") for n in range(2, 1_001))
    nodes = dict(node(f"n@v{n}", "al", 1) for n in range(1, 1_001))
    tree = drawn(Lineage("n@v1", deep, (), nodes, ()), width=10_000)
    assert len(tree) == LINES_SHOWN + 3
    assert tree[-1] == "   … 799 more versions; all of them with -v"


def test_hostile_authors_and_values_are_escaped() -> None:
    bad = "[b]\x1b[31m\u202e\n"
    nodes = dict([node("a@v1", bad, 1, metrics={bad: bad}), node("b@v1", bad, 1)])
    for tty in (True, False):
        text = "\n".join(drawn(Lineage("a@v1", (Edge("b@v1", "a@v1"),), (), nodes, ()), tty=tty))
        assert "[b]\\x1b[31m\\u202e\\n" in text
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_remarks() -> None:
    nothing = lineage(up=(), down=())
    assert list(remarks(nothing, up=True, down=True, depth=None)) == [
        "What unet-cmr@v9 was made from is not recorded  (datacat add --from does it).",
        "Nothing was made from unet-cmr@v9.",
    ]
    assert list(remarks(lineage(down=()), up=True, down=True, depth=None)) == []
    assert list(remarks(lineage(cut=True), up=True, down=True, depth=2)) == [
        "There is more beyond --depth."
    ]
