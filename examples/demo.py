"""The main job, on real files, with two people and one shared folder.

Run it with `make demo`. Each line that starts with `alice$` or `bob$` is really run, on a terminal
of its own, and what follows is what it showed. Each step says what must be true afterwards; the
demo stops with exit code 1 at the first that is not. The store is in a temporary folder, which is
removed at the end (`--keep` leaves it and says where).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import real_data
from terminal import Person, UnexpectedError

MARKER = ".datacat"


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """What is in a folder: bytes of files with their exec bit, targets of links, empty folders."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] == MARKER:
            continue
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = bytes([path.stat().st_mode & 0o111 != 0]) + path.read_bytes()
        elif not any(path.iterdir()):
            found[name] = None
    return found


def must(holds: bool, what: str) -> None:
    """Print what is now known to be true, or stop."""
    if not holds:
        raise UnexpectedError(f"not true: {what}")
    print(f"  # checked: {what}\n")


def chapter(title: str) -> None:
    print(f"\n--- {title} {'-' * (74 - len(title))}\n")


def first_import(alice: Person, store: Path) -> None:
    chapter("Alice makes a store and saves three datasets")
    real_data.dicom(alice.home / "dicom")
    real_data.neuro(alice.home / "neuro")
    real_data.weather(alice.home / "weather")
    alice.types(f"datacat init {store} --name imaging", shows=["Created a new team store at"])
    for name, message in [
        ("dicom", "pydicom's test files"),
        ("neuro", "nibabel's test images"),
        ("weather", "daily and hourly tables"),
    ]:
        files = len(tree(alice.home / name))
        alice.types(
            f'datacat add ./{name} -m "{message}" --tag {name}-files',
            shows=[rf"Saved {name}@v1: {files:,} files?, ", rf"datacat pull {name}"],
        )
    alice.types("datacat ls", shows=[r"dicom +v1 +alice", r"neuro +v1", r"weather +v1", "3 data"])


def same_again(alice: Person) -> None:
    chapter("Adding what the team already has")
    alice.types("datacat add ./dicom", shows=["Nothing to add: this is exactly dicom@v1"])
    home = alice.home
    skip_marker = shutil.ignore_patterns(MARKER)
    shutil.copytree(home / "dicom", home / "dicom_final_v2_new", ignore=skip_marker)
    alice.types(
        "datacat add ./dicom_final_v2_new",
        shows=["Nothing to add: this is exactly dicom@v1 "],
    )
    alice.types("datacat status ./dicom_final_v2_new", shows=["dicom@v1"])


def teammate(alice: Person, bob: Person, store: Path) -> None:
    chapter("Bob joins and pulls")
    bob.types(f"datacat init {store}", shows=["Joined the store 'imaging'", "3 datasets"])
    bob.types("datacat ls dicom", shows=[r"dicom +v1 +alice"])
    bob.types("datacat pull dicom", shows=[r"dicom@v1 is in \./dicom", "checked"])
    must(
        tree(bob.home / "dicom") == tree(alice.home / "dicom"),
        "bob's dicom is the same as alice's, byte for byte, names and modes",
    )
    bob.types("datacat pull dicom", shows=[r"dicom@v1 is already in \./dicom, unchanged"])
    bob.types(
        "datacat pull weather 'seattle-*.csv' -d seattle",
        shows=[r"2 of 3 files from weather@v1 are in \./seattle"],
    )
    must(
        sorted(tree(bob.home / "seattle")) == ["seattle-temps.csv", "seattle-weather.csv"],
        "only the two files that bob asked for are there",
    )


def edit(bob: Person) -> None:
    chapter("Bob takes the patients' names out and shares that")
    changed = real_data.anonymise(bob.home / "dicom")
    bob.types(
        "datacat status ./dicom",
        shows=[rf"dicom@v1, changed: {len(changed)} modified", *(rf"~ {c}" for c in changed)],
    )
    bob.types("datacat diff ./dicom", shows=[rf"{c} +~" for c in changed])
    bob.types(
        'datacat add ./dicom -m "remove patient names"',
        shows=[rf"Saved dicom@v2: 0 added, {len(changed)} changed, 0 removed"],
    )
    bob.types("datacat diff dicom@v1 dicom@v2", shows=[r"dicom@v1 → dicom@v2", r"~2"])


def tables(alice: Person) -> None:
    chapter("Alice changes a table")
    rows = real_data.add_mean_temperature(alice.home / "weather" / "seattle-weather.csv")
    alice.types(
        'datacat add ./weather -m "rainy days only, mean temperature"',
        shows=[r"Saved weather@v2: 0 added, 1 changed, 0 removed"],
    )
    alice.types(
        "datacat diff weather@v1 weather@v2",
        shows=[rf"rows 1,461 → {rows:,}", r"columns \+mean"],
    )


def out_of_date(alice: Person, bob: Person) -> None:
    chapter("Alice changes dicom too, from the older version")
    readme = alice.home / "dicom" / "README.txt"
    before = readme.read_bytes()
    readme.write_bytes(before + b"\nLooked through by alice.\n")
    alice.types("datacat add ./dicom", exit_code=6, shows=["bob saved dicom@v2", "--force"])
    alice.types(
        "datacat pull dicom",
        exit_code=6,
        shows=[r"1 files? you changed since dicom@v1; nothing was touched", "README.txt"],
    )
    must(readme.read_bytes().endswith(b"by alice.\n"), "alice's change is still there")
    readme.write_bytes(before)
    alice.types(
        "datacat pull dicom", shows=[r"\./dicom moved from dicom@v1 to dicom@v2", "2 replaced"]
    )
    must(
        tree(alice.home / "dicom") == tree(bob.home / "dicom"),
        "alice's dicom is now the same as bob's",
    )


def another_name(bob: Person) -> None:
    chapter("Bob has a folder that the team has under another name")
    real_data.neuro(bob.home / "brain_images_copy")
    bob.types(
        "datacat status ./brain_images_copy",
        shows=["not a datacat copy", "exactly neuro@v1"],
    )
    bob.types(
        "datacat add ./brain_images_copy",
        shows=[r"Nothing to add: this is exactly neuro@v1 \(alice, "],
    )
    bob.types("datacat ls", shows=["3 datasets, 5 versions"])


def output(alice: Person) -> None:
    chapter("Alice saves a result with what it was made from")
    rows = real_data.index_headers(alice.home / "dicom", alice.home / "out" / "headers.csv")
    alice.types(
        "datacat add out --name dicom-index --from ./dicom"
        f" --param skip_pixels=true --metric readable={rows}",
        shows=["Saved dicom-index@v1", r"made from +dicom@v2", rf"readable {rows}"],
    )


def look_around(alice: Person, bob: Person) -> None:
    chapter("Who did what, and is everything still as it was saved")
    bob.types("datacat log", shows=[r"bob +saved +dicom@v2", r"alice +saved +weather@v2"])
    bob.types("datacat log dicom", shows=[r"v2 .*bob .*remove patient names", r"v1 .*alice"])
    bob.types("datacat show dicom", shows=[r"newest +v2, bob", r"used by +dicom-index@v1"])
    bob.types("datacat ls", shows=[r"dicom +v2", r"dicom-index +v1", r"neuro +v1", "4 datasets"])
    bob.types("datacat pull crm", exit_code=3, shows=["no dataset named 'crm'"])
    bob.types("datacat pull dicom@v1 -d before", shows=[r"dicom@v1 is in \./before"])
    must(
        tree(bob.home / "before") == tree(alice.home / "dicom_final_v2_new"),
        "dicom@v1 is still exactly what alice saved first",
    )
    bob.types("datacat verify --all", shows=["all as saved"])


def play(folder: Path) -> None:
    """Every chapter in turn, below `folder`. Raises `UnexpectedError`."""
    alice = Person("alice", folder / "alice")
    bob = Person("bob", folder / "bob")
    store = folder / "shared" / "datacat"
    for made in (alice.home, bob.home, store.parent):
        made.mkdir()
    first_import(alice, store)
    same_again(alice)
    teammate(alice, bob, store)
    edit(bob)
    tables(alice)
    out_of_date(alice, bob)
    another_name(bob)
    output(alice)
    look_around(alice, bob)


def main() -> int:
    """Play the demo; the exit code."""
    parser = argparse.ArgumentParser(description="The main job, on real files.")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="datacat-demo-"))
    started = time.monotonic()
    try:
        play(folder)
    except UnexpectedError as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    finally:
        if keep:
            print(f"\nLeft in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\nEvery step came out as it should ({time.monotonic() - started:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
