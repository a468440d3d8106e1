"""How differences are folded: nothing is lost, and what is long becomes short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from datacat.model import Change, ChangeKind, Diff
from datacat.render.diff import by_folder, common_pattern, fold, print_diff
from tests.unit.render.conftest import make

paths = st.lists(
    st.tuples(st.sampled_from("ab1"), st.sampled_from("xy2"), st.integers(0, 50)).map(
        lambda t: f"{t[0]}/{t[1]}/{t[2]}"
    ),
    unique=True,
    max_size=60,
)


def changed(found: list[str], kinds: list[ChangeKind]) -> list[Change]:
    return [
        Change(path, kinds[i % len(kinds)], bytes=10, old_bytes=5) for i, path in enumerate(found)
    ]


@given(paths, st.lists(st.sampled_from(list(ChangeKind)), min_size=1), st.integers(1, 30))
def test_the_page_is_short_and_counts_everything(
    found: list[str], kinds: list[ChangeKind], limit: int
) -> None:
    changes = changed(found, kinds)
    lines = list(fold(changes, limit=limit))
    assert len(lines) <= 4 * (limit + 1)
    by_name = {folder.path: folder for folder in by_folder(changes)}
    total = sum(f.added + f.modified + f.removed + f.renamed for f in by_name.values())
    assert total == len(changes)
    if len(changes) <= limit:
        assert sorted(line.path for line in lines) == sorted(found)


def test_names_that_differ_in_digits() -> None:
    assert common_pattern(["sub-4811/", "sub-4812/", "sub-4834/"]) == "sub-48xx/"
    assert common_pattern(["a/"]) == "a/"


def a_diff() -> Diff:
    changes = [
        Change(
            "labels.csv",
            ChangeKind.MODIFIED,
            bytes=96_400_000,
            old_bytes=96_100_000,
            detail="rows 4,812 → 4,836, columns same",
        ),
        *(
            Change(f"sub-{i:04}/mask.nii.gz", ChangeKind.MODIFIED, bytes=80_900, old_bytes=81_200)
            for i in range(71)
        ),
        *(
            Change(f"sub-{i}/sax.nii.gz", ChangeKind.ADDED, bytes=12_500_000)
            for i in range(4811, 4835)
        ),
        Change("new.csv", ChangeKind.RENAMED, old_path="old[1].csv", bytes=1, old_bytes=1),
    ]
    return Diff("cmr@v3", "cmr@v4", 24, 72, 0, 1, 18_400_000_000, 18_600_000_000, tuple(changes))


def test_a_long_diff_on_a_terminal() -> None:
    seen = make()
    print_diff(seen.screen, a_diff(), limit=3, stat=False, names=False)
    assert seen.answers.getvalue().splitlines() == [
        "cmr@v3 → cmr@v4    +24 ~72 -0 >1    18.4 GB → 18.6 GB",
        "  labels.csv            ~  96.1 MB → 96.4 MB   rows 4,812 → 4,836, columns same",
        "  sub-0000/mask.nii.gz  ~  81.2 kB → 80.9 kB",
        "  sub-0001/mask.nii.gz  ~  81.2 kB → 80.9 kB",
        "  … 69 more changed",
        "  new.csv               >  was old[1].csv",
        "  sub-48xx/             +  24 files, 300.0 MB",
        "All of them:  datacat diff cmr@v3 cmr@v4 --names",
    ]


def test_names_and_stat() -> None:
    seen = make(tty=False)
    print_diff(seen.screen, a_diff(), limit=None, stat=False, names=True)
    lines = seen.answers.getvalue().splitlines()
    assert len(lines) == 97
    assert lines[0] == "~\tlabels.csv"
    assert lines[-1] == ">\tnew.csv"
    seen = make(tty=False)
    print_diff(seen.screen, a_diff(), limit=None, stat=True, names=False)
    assert seen.answers.getvalue().splitlines()[:3] == [
        "FOLDER\tADDED\tMODIFIED\tREMOVED\tRENAMED",
        ".\t0\t1\t0\t1",
        "sub-0000/\t0\t1\t0\t0",
    ]


def test_a_pipe_gets_every_change_with_bytes() -> None:
    seen = make(tty=False)
    print_diff(seen.screen, a_diff(), limit=None, stat=False, names=False)
    lines = seen.answers.getvalue().splitlines()
    assert len(lines) == 98
    assert lines[1] == (
        "modified\tlabels.csv\t\t96400000\t96100000\trows 4,812 → 4,836, columns same"
    )
    assert lines[-1] == "renamed\tnew.csv\told[1].csv\t1\t1\t"


def test_the_same_content() -> None:
    seen = make()
    same = Diff("cmr@v3", "/home/bob/proj/cmr", 0, 0, 0, 0, 1, 1, ())
    print_diff(seen.screen, same, limit=None, stat=False, names=False)
    assert seen.answers.getvalue() == "cmr@v3 and ./cmr hold the same content.\n"
