"""What actions say: the texts of add, pull, status, show, log, du, verify and init."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from datacat.model import (
    AddResult,
    Better,
    Change,
    ChangeKind,
    Changes,
    Code,
    Contents,
    Copy,
    Damage,
    DatasetDiskUse,
    DiskUse,
    InitResult,
    Listing,
    LogEntry,
    Parameters,
    PullResult,
    Shown,
    StatusEntry,
    StoreInfo,
    Unsaved,
    VerifyResult,
)
from datacat.render import add, pull
from datacat.render.du import print_disk_use
from datacat.render.init import summary as init_summary
from datacat.render.listing import totals
from datacat.render.log import print_feed
from datacat.render.progress import time_left
from datacat.render.show import print_shown
from datacat.render.status import print_status
from datacat.render.verify import duration, print_verified
from datacat.text import human_bytes, without_version_words
from tests.unit.render.conftest import NOW, dataset, make, version


def said(result: AddResult, path: str = "./cmr", **options: object) -> list[str]:
    earlier = options.pop("earlier", [])
    return list(add.summary(result, screen=make().screen, path=path, earlier=earlier))  # type: ignore[arg-type]


def test_first_version() -> None:
    saved = version(1, files=4504, bytes=17_200_000_000, new_bytes=10_900_000_000, base=None)
    result = AddResult(
        saved,
        True,
        first=True,
        skipped=(".DS_Store", ".ipynb_checkpoints/ (1,002)", "pipe (not a file)"),
        skipped_count=1_004,
    )
    assert said(result) == [
        "Saved cmr@v1: 4,504 files, 17.2 GB  (10.9 GB new, 6.3 GB already in the store)",
        "  skipped 1,004: .DS_Store, .ipynb_checkpoints/ (1,002), pipe (not a file)",
        "Teammates run:  datacat pull cmr",
    ]


def test_next_version() -> None:
    assert said(AddResult(version(), True)) == [
        "Saved cmr@v4: 24 added, 72 changed, 0 removed. 300.0 MB new of 18.6 GB.",
        "See it:  datacat diff cmr@v3 cmr@v4",
    ]


def test_dry_run_saves_nothing_and_says_so() -> None:
    lines = said(AddResult(version(), True, dry_run=True))
    assert lines[0].startswith("Would save cmr@v4: 24 added")
    assert lines[-1] == "Nothing was saved (dry run)."


def test_identical_content() -> None:
    known = replace(version(2, author="bob"), created_at=NOW - timedelta(days=21))
    assert said(AddResult(known, False, newest="cmr@v4"), "./cmr_final (1)") == [
        "Nothing to add: this is exactly cmr@v2 (bob, 3 weeks ago).",
        "  The newest is cmr@v4.     What changed since:  datacat diff cmr@v2 cmr@v4",
        "  Make it the newest anyway:  datacat add './cmr_final (1)' --name cmr --new-version",
    ]
    assert len(said(AddResult(known, False))) == 1


def test_partial_copy() -> None:
    result = AddResult(version(4, files=4_813, changes=Changes(added=1)), True, kept=4_809)
    assert said(result)[1] == (
        "  You pulled 3 of 4,812 files; the other 4,809 stay as they are in v3."
    )


def test_an_output_names_sources_code_and_how_metrics_moved() -> None:
    saved = version(
        9,
        name="unet",
        files=3,
        bytes=412_600_000,
        new_bytes=412_600_000,
        base="unet@v8",
        sources=("cmr@v3", "cmr-labels@v2"),
        metrics={"dice": 0.912, "loss": 0.2, "note": "fine"},
        code=Code("https://example.org/team/seg.git", "4f2c1aa77", True),
    )
    earlier = [
        version(8, metrics={"dice": 0.905, "loss": 0.1}),
        version(7, metrics={"dice": 0.871, "loss": 0.3}),
    ]
    assert said(AddResult(saved, True), earlier=earlier) == [
        "Saved unet@v9: 3 files, 412.6 MB.",
        "  made from  cmr@v3, cmr-labels@v2      code  seg @ 4f2c1aa, uncommitted changes",
        "  dice 0.912 (best so far; v8 was 0.905)",
        "  loss 0.2 (v8 was 0.1)",
        "  note fine",
        "Teammates run:  datacat pull unet",
    ]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("cmr_final_v2_new", "cmr"),
        ("x-copy", "x"),
        ("data_20261103", "data"),
        ("a (1)", "a"),
        ("cmr-v3", "cmr"),
        ("data(1)", "data"),
        ("Copy of data", "data"),
        ("data - Copy (2)", "data"),
        ("cmr-final-2", "cmr"),
        ("cmr_final2", "cmr"),
        ("masks_2026-11-03", "masks"),
        ("x.bak", "x"),
        ("new-york", None),
        ("site-1", None),
        ("copy", None),
        ("cmr", None),
        ("renew", None),
        ("threshold", None),
        ("final", None),
        ("ukb-2024", None),
    ],
)
def test_names_that_count_versions(name: str, short: str | None) -> None:
    assert without_version_words(name) == short


def test_a_name_that_counts_versions_gets_the_one_hint() -> None:
    lines = said(AddResult(version(1, name="cmr-final-v2", base=None), True, first=True))
    assert lines[-1] == (
        "hint: versions are kept for you; a short name like 'cmr' ages better (--name cmr)."
    )
    assert not any("Teammates" in line for line in lines)


PULLED = PullResult(
    ref="cmr@v4",
    path="/home/bob/proj/cmr",
    files=4836,
    bytes=18_600_000_000,
    copied=4836,
    already=0,
    linked=0,
    removed=0,
    copied_bytes=18_600_000_000,
    partial=False,
    previous=None,
    checked=True,
    total_files=4836,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["cmr@v4 is in ./cmr  (4,836 files, 18.6 GB, checked)"]),
        (
            {"partial": True, "files": 3, "bytes": 96_100_000, "path": "/home/bob/data"},
            ["3 of 4,836 files from cmr@v4 are in ~/data  (96.1 MB, checked)"],
        ),
        (
            {"copied": 0, "already": 4836, "copied_bytes": 0},
            ["cmr@v4 is already in ./cmr, unchanged."],
        ),
        (
            {"copied": 0, "already": 4836, "copied_bytes": 0, "others": 1},
            ["cmr@v4 is already in ./cmr; 1 other file is there."],
        ),
        (
            {"previous": "cmr@v3", "copied": 1, "replaced": 0, "others": 2},
            [
                "./cmr moved from cmr@v3 to cmr@v4: 1 added, 0 replaced.",
                "  2 other files there were left alone",
            ],
        ),
        (
            {"copied": 0, "already": 3, "files": 3, "copied_bytes": 0, "partial": True},
            ["3 of 4,836 files from cmr@v4 are already in ./cmr, unchanged."],
        ),
        (
            {"previous": "cmr@v3", "copied": 96, "replaced": 72, "removed": 1},
            ["./cmr moved from cmr@v3 to cmr@v4: 24 added, 72 replaced, 1 removed."],
        ),
        (
            {"adopted": True, "copied": 0},
            ["./cmr already holds cmr@v4 (content checked); now tracked."],
        ),
        (
            {"linked": 4836, "copied": 0, "copied_bytes": 0},
            [
                "cmr@v4 is in ./cmr as read-only links into the store (0 B copied).",
                "  To edit files, pull a copy instead:"
                "  datacat pull cmr@v4 --link copy -d cmr-edit",
            ],
        ),
        (
            {"dry_run": True, "already": 4, "copied": 4832},
            [
                "Would get cmr@v4 into ./cmr: 4,832 files to write (18.6 GB),"
                " 4 there already, 0 to remove.",
                "Nothing was touched (dry run).",
            ],
        ),
        (
            {"backup": "/home/bob/proj/cmr/.datacat/backup/1"},
            [
                "cmr@v4 is in ./cmr  (4,836 files, 18.6 GB, checked)",
                "  your changes are kept in ./cmr/.datacat/backup/1",
            ],
        ),
    ],
)
def test_pull(changes: dict[str, object], expected: list[str]) -> None:
    result = replace(PULLED, **changes)  # type: ignore[arg-type]
    assert list(pull.summary(result, screen=make().screen)) == expected


def entry(**changes: object) -> StatusEntry:
    values: dict[str, object] = {
        "path": "/home/bob/proj/cmr",
        "ref": "cmr@v3",
        "state": "unchanged",
        "newest": "cmr@v3",
        "newest_by": "alice",
        "changes": (),
        "partial": False,
        "linked": False,
    }
    return StatusEntry(**(values | changes))  # type: ignore[arg-type]


def test_status() -> None:
    seen = make()
    changes = (
        Change("labels.csv", ChangeKind.MODIFIED),
        Change("sub-0017/mask.nii.gz", ChangeKind.MODIFIED),
        Change("no\x1btes.txt", ChangeKind.ADDED),
    )
    print_status(
        seen.screen,
        [
            entry(state="changed", changes=changes, newest="cmr@v4"),
            entry(path="/home/bob/proj/labels", ref="cmr-labels@v2", newest="cmr-labels@v2"),
            entry(
                path="/home/bob/old",
                ref=None,
                state="untracked",
                files=2,
                bytes=10,
                identical_to="cmr@v3",
            ),
            entry(path="/home/bob/new", ref=None, state="untracked", files=1, bytes=3),
        ],
    )
    assert seen.answers.getvalue().splitlines() == [
        "./cmr      cmr@v3, changed: 1 added, 2 modified   (v4 is available, by alice)",
        "    ~ labels.csv",
        "    ~ sub-0017/mask.nii.gz",
        "    + no\\x1btes.txt",
        "  Save:  datacat add ./cmr       Details:  datacat diff ./cmr",
        "./labels   cmr-labels@v2, unchanged",
        "~/old   not a datacat copy. Compared by content (2 files, 10 B):",
        "  exactly cmr@v3",
        "  Track it:  datacat pull cmr@v3 -d ~/old",
        "~/new   not a datacat copy. Compared by content (1 file, 3 B):",
        "  no version in the store is exactly this",
        "  Save:  datacat add ~/new",
    ]


def test_only_a_newer_version_is_news() -> None:
    seen = make()
    newer = ("cmr@v3", "cmr@v10", "cmr@v2")
    print_status(seen.screen, [entry(path=f"/{n}", newest=ref) for n, ref in enumerate(newer)])
    assert seen.answers.getvalue().splitlines() == [
        "/0   cmr@v3, unchanged",
        "/1   cmr@v3, unchanged   (v10 is available, by alice)",
        "/2   cmr@v3, unchanged",
    ]


def test_status_in_a_pipe() -> None:
    seen = make(tty=False)
    print_status(seen.screen, [entry(state="changed", changes=(Change("a", ChangeKind.REMOVED),))])
    assert seen.answers.getvalue().splitlines() == [
        "PATH\tREF\tSTATE\tNEWEST\tADDED\tMODIFIED\tREMOVED\tRENAMED",
        "/home/bob/proj/cmr\tcmr@v3\tchanged\tcmr@v3\t0\t0\t1\t0",
    ]


SHOWN = Shown(
    dataset=dataset(aliases={"gold": "v3", "paper-2026": "v2"}),
    version=version(sources=("ukb-raw@v1",)),
    one_version=False,
    version_list=(version(4), version(3, aliases=("gold",), message="add [site] 4")),
    contents=(
        Contents(".nii.gz", 4823, 18_500_000_000),
        Contents(".csv", 12, 96_400_000),
        Contents(".md", 1, 20, "README.md"),
    ),
    used_by=("cmr-labels@v2", "unet-cmr@v9", "x@v1"),
)


def test_show() -> None:
    seen = make()
    print_shown(seen.screen, SHOWN)
    assert seen.answers.getvalue().splitlines() == [
        "cmr    UK Biobank short-axis cine, anonymised",
        '  newest    v4, alice, 2 hours ago: "fix 72 masks"',
        "  owner     alice                    tags     cardiac, mri",
        "  size      4,836 files, 18.6 GB     aliases  gold → v3, paper-2026 → v2",
        "  contents  4,823 .nii.gz 18.5 GB · 12 .csv 96.4 MB · README.md",
        "  made from ukb-raw@v1",
        "  used by   cmr-labels@v2, unet-cmr@v9 and 1 more",
        "",
        "  v4  2 hours ago  alice  +24 ~72  fix 72 masks",
        "  v3  2 hours ago  alice  +24 ~72  add [site] 4  gold",
        "  … 2 older:  datacat log cmr",
        "",
        "  datacat pull cmr@v4",
    ]


def copy(user: str, number: int, place: str, days: int, **more: object) -> Copy:
    host, path = place.split(":")
    seen = NOW - timedelta(days=days)
    values = {"linked": False, "partial": False, "pulled_at": seen, "last_seen": seen, **more}
    return Copy("0" * 32, f"cmr@v{number}", "cmr", number, user, host, path, **values)  # type: ignore[arg-type]


IN_USE = (
    copy("bob", 4, "hub:/home/bob/cmr", 0),
    copy("dana", 4, "hub:/home/dana/[x]\x1b[2J", 1),
    copy("chen", 3, "gpu02:/scratch/chen/cmr", 5),
    copy("bob", 3, "hub:/home/bob/old", 9, gone=True),
)


def test_show_says_who_has_it_where() -> None:
    seen = make()
    print_shown(seen.screen, replace(SHOWN, in_use=IN_USE))
    assert seen.answers.getvalue().splitlines()[6:12] == [
        "  used by   cmr-labels@v2, unet-cmr@v9 and 1 more",
        "  in use    bob   v4  hub:/home/bob/cmr          today",
        "            dana  v4  hub:/home/dana/[x]\\x1b[2J  yesterday",
        "            chen  v3  gpu02:/scratch/chen/cmr    5 days ago",
        "            bob   v3  hub:/home/bob/old          not seen",
        "",
    ]
    seen = make()
    print_shown(seen.screen, replace(SHOWN, in_use=IN_USE * 3))
    assert "            … 2 more copies" in seen.answers.getvalue().splitlines()
    piped = make(tty=False)
    print_shown(piped.screen, replace(SHOWN, in_use=IN_USE))
    assert "in_use\tchen cmr@v3 gpu02:/scratch/chen/cmr" in piped.answers.getvalue().splitlines()


def test_show_in_a_pipe_is_keys_and_values() -> None:
    seen = make(tty=False)
    run = version(params={"lr": 0.0003, "aug": True}, metrics={"dice": 0.9}, message="a\nb")
    print_shown(seen.screen, replace(SHOWN, version=run))
    lines = seen.answers.getvalue().splitlines()
    found = dict(line.split("\t") for line in lines)
    assert found["bytes"] == "18600000000"
    assert found["message"] == "a\\nb"
    assert (found["param.lr"], found["param.aug"]) == ("0.0003", "true")
    assert found["created_at"] == "2026-11-22T10:00:00Z"


def test_the_same_bytes_with_other_numbers() -> None:
    unsaved = Unsaved(params={"a b": "x'y"}, metrics={"dice": 0.9}, better={"dice": Better.MAX})
    result = AddResult(version(2), False, unsaved=unsaved)
    assert said(result, "./net")[1:] == [
        "  Not saved with it: a b x'y, dice 0.9, dice:max",
        "  Say it of cmr@v2:  datacat edit cmr@v2 --param 'a b=x'\"'\"'y' --metric dice=0.9:max",
        "  Keep this run as a version of its own:  datacat add ./net --name cmr --new-version …",
    ]
    sources = AddResult(version(2), False, unsaved=Unsaved(sources=("raw@v1",)))
    assert said(sources)[1:] == [
        "  Not saved with it: made from raw@v1",
        "  Keep this run as a version of its own:  datacat add ./cmr --name cmr --new-version …",
    ]
    # The value that a direction is about is given with it.
    known = AddResult(
        version(2, metrics={"t": 3}), False, unsaved=Unsaved(better={"t": Better.MIN})
    )
    assert "datacat edit cmr@v2 --metric t=3:min" in said(known)[2]


def test_feed_names_each_day_once(monkeypatch: pytest.MonkeyPatch) -> None:
    local = datetime(2026, 11, 22, 9, 14).astimezone()
    seen = make()
    object.__setattr__(seen.screen, "now", local.astimezone(UTC))
    entries = [
        LogEntry(local, "alice", "hub", "saved", "cmr@v4", "fix [72] masks"),
        LogEntry(
            local - timedelta(minutes=24), "bob", "hub", "pulled", "cmr@v3", path="/home/bob/cmr"
        ),
        LogEntry(local - timedelta(minutes=62), "bob", "hub", "saved", "unet@v9"),
        LogEntry(local - timedelta(days=1), "dana", "hub", "alias", "cmr@gold → v3"),
    ]
    print_feed(seen.screen, entries)
    assert seen.answers.getvalue().splitlines() == [
        "today      09:14  alice  saved   cmr@v4         fix [72] masks",
        "           08:50  bob    pulled  cmr@v3         hub:/home/bob/cmr",
        "           08:12  bob    saved   unet@v9",
        "yesterday  09:14  dana   alias   cmr@gold → v3",
    ]
    piped = make(tty=False)
    print_feed(piped.screen, entries[1:2])
    assert piped.answers.getvalue().splitlines()[1].split("\t")[1:] == [
        *("bob", "hub", "pulled", "cmr@v3", "", "/home/bob/cmr")
    ]


USE = DiskUse(
    versions=22,
    logical_bytes=238_900_000_000,
    on_disk_bytes=167_700_000_000,
    catalog_bytes=100_000_000,
    same_files_bytes=50_000_000_000,
    same_parts_bytes=20_000_000_000,
    compression_bytes=1_300_000_000,
    trash_versions=0,
    trash_bytes=0,
    unused_bytes=0,
    free_bytes=2_100_000_000_000,
    datasets=(
        DatasetDiskUse("echo-clips", 1, 141_000_000_000, 141_000_000_000, 141_000_000_000),
        DatasetDiskUse("cmr", 1_004, 73_600_000_000, 19_200_000_000, 18_900_000_000),
    ),
)


def used(use: DiskUse, *, only_datasets: bool = False, **options: object) -> tuple[str, str]:
    seen = make(**options)  # type: ignore[arg-type]
    print_disk_use(seen.screen, use, place="/shared/datacat", only_datasets=only_datasets)
    return seen.answers.getvalue(), seen.notes.getvalue()


def test_du() -> None:
    answer, notes = used(USE)
    assert notes == ""
    table = [
        "NAME        VERSIONS   LOGICAL   ON DISK  ONLY HERE",
        "echo-clips         1  141.0 GB  141.0 GB   141.0 GB",
        "cmr            1,004   73.6 GB   19.2 GB    18.9 GB",
    ]
    assert answer.splitlines() == [
        "/shared/datacat: 167.7 GB on disk for 238.9 GB of versions; 71.2 GB saved (29%).",
        "  50.0 GB by files that are the same, 20.0 GB by parts of files that are the same,"
        " 1.3 GB by compression",
        *table,
        "Trash: empty.   Free on disk: 2.1 TB",
    ]
    assert used(USE, only_datasets=True) == ("\n".join([*table, ""]), "")
    assert used(USE, quiet=True) == ("\n".join([*table, ""]), "")


def test_du_in_a_pipe() -> None:
    answer, notes = used(USE, tty=False)
    assert answer.splitlines() == [
        "NAME\tVERSIONS\tLOGICAL\tON DISK\tONLY HERE",
        "echo-clips\t1\t141000000000\t141000000000\t141000000000",
        "cmr\t1004\t73600000000\t19200000000\t18900000000",
    ]
    assert len(notes.splitlines()) == 3
    assert used(USE, tty=False, quiet=True) == (answer, "")


def test_du_claims_nothing_that_is_not_so() -> None:
    """Nothing saved, something trashed, something left over, and no idea of the disk."""
    odd = replace(
        USE,
        on_disk_bytes=USE.logical_bytes + 1,
        trash_versions=1,
        trash_bytes=1_300_000_000,
        unused_bytes=12_300_000,
        free_bytes=None,
    )
    lines = used(odd)[0].splitlines()
    assert lines[0] == "/shared/datacat: 238.9 GB on disk for 238.9 GB of versions."
    assert lines[1].startswith("NAME")
    assert lines[-2:] == [
        "Of no version: 12.3 MB, left by adds that did not finish, or that still run.",
        "Trash: 1 version, 1.3 GB.",
    ]
    costly = replace(USE, same_parts_bytes=-1, compression_bytes=-1)
    assert used(costly)[0].splitlines()[1] == "  50.0 GB by files that are the same"
    nothing = replace(USE, versions=0, datasets=())
    assert used(nothing)[0].splitlines()[:2] == [
        "/shared/datacat: no versions yet.",
        "Trash: empty.   Free on disk: 2.1 TB",
    ]


def test_verify() -> None:
    seen = make()
    good = VerifyResult("cmr@v4", 4836, 18_600_000_000, 24.2, (), ())
    print_verified(seen.screen, [good])
    assert seen.answers.getvalue() == "4,836 files checked, 18.6 GB in 24 s: all as saved.\n"
    seen = make(tty=False)
    bad = replace(good, damaged=(Damage("cmr@v4", "sub-0017/sax.nii.gz", "bytes differ"),))
    print_verified(seen.screen, [good, bad])
    assert seen.answers.getvalue().splitlines() == [
        "TARGET\tSTATE\tREF\tPATH\tREASON",
        "cmr@v4\tok\t\t\t",
        "cmr@v4\tdamaged\tcmr@v4\tsub-0017/sax.nii.gz\tbytes differ",
    ]
    seen = make()
    print_verified(seen.screen, [bad])
    assert seen.answers.getvalue().splitlines()[1:] == [
        "1 of 4,836 damaged:",
        "  cmr@v4/sub-0017/sax.nii.gz: bytes differ",
    ]


def test_init() -> None:
    info = StoreInfo("id", "imaging", "", NOW, "alice", Parameters())
    joined = InitResult(info, "/shared/datacat", False, 14, 3, None)
    screen = make().screen

    def said(result: InitResult, *, remembered: str | None, activity: bool) -> list[str]:
        return list(
            init_summary(
                result, screen=screen, user="bob", remembered=remembered, activity=activity
            )
        )

    assert list(
        init_summary(joined, screen=screen, user="bob", remembered=None, activity=False)
    ) == [
        "Joined the store 'imaging' at /shared/datacat: 14 datasets, 3 people.",
        "Next:  datacat ls",
    ]
    created = replace(joined, created=True, group="imaging")
    remembered = "/home/bob/.config/datacat/config.toml"
    assert list(
        init_summary(created, screen=screen, user="bob", remembered=remembered, activity=True)
    ) == [
        "Created a new team store at /shared/datacat.",
        "  writable by group 'imaging'; you are 'bob'",
        "  remembered in ~/.config/datacat/config.toml",
        "  teammates see where you pull to; or not:  datacat config set activity false",
        "Teammates run:  datacat init /shared/datacat",
        "Next:  datacat add ./my-folder",
    ]


@pytest.mark.parametrize(
    ("listing", "query", "filtered", "text"),
    [
        (
            Listing((dataset(),) * 5, 5, 23, 167_700_000_000),
            None,
            False,
            "5 datasets, 23 versions, 167.7 GB on disk",
        ),
        (
            Listing((), 0, 0, 0),
            None,
            False,
            "No datasets yet in /s.  Add the first:  datacat add ./folder",
        ),
        (
            Listing((), 5, 23, 1, suggestion="heart"),
            "hart",
            True,
            "Nothing matches 'hart' among 5 datasets. Did you mean 'heart'?",
        ),
        (Listing((dataset(),), 5, 23, 1), "cmr", True, "1 of 5 datasets"),
    ],
)
def test_totals(listing: Listing, query: str | None, filtered: bool, text: str) -> None:
    assert totals(listing, place="/s", query=query, filtered=filtered) == text


def test_numbers() -> None:
    assert [human_bytes(n) for n in (0, 999, 1000, 999_949, 999_950, 18_600_000_000)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "999.9 kB",
        "1.0 MB",
        "18.6 GB",
    ]
    assert (time_left(5.4), time_left(600), time_left(7_800)) == (
        "5 s left",
        "10 min left",
        "2 h 10 min left",
    )
    assert (duration(0.44), duration(24.4), duration(180)) == ("0.4 s", "24 s", "3 min")
