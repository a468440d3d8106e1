"""Which versions hold a file, against a plain search through what was saved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from pathlib import Path

import pytest

from datacat.errors import InvalidInput
from datacat.store import Store
from tests.chunked import added, blake

VERSIONS: dict[str, list[dict[str, bytes]]] = {
    "cmr": [
        {"sub-1/Mask.nii.gz": b"1", "labels.csv": b"a", "it's 100%_.txt": b"q"},
        {"sub-1/Mask.nii.gz": b"1", "labels.csv": b"b"},
        {"sub-1/Mask.nii.gz": b"1", "labels.csv": b"a", "sub-2/mask.nii.gz": b"2"},
    ],
    "echo": [{"deep/er/mask.nii": b"1", "a@2x.png": b"p", "a[1].txt": b"t"}],
}


@pytest.fixture
def saved(store: Callable[..., Store], tmp_path: Path) -> Store:
    opened = store()
    for name, versions in VERSIONS.items():
        for files in versions:
            added(opened, tmp_path / name, files, name=name)
    return opened


def expected(matches: Callable[[str, str], bool]) -> list[tuple[str, str, bytes, tuple[int, ...]]]:
    found: dict[tuple[str, str, bytes], list[int]] = {}
    for name, versions in VERSIONS.items():
        for number, files in enumerate(versions, 1):
            for path, data in files.items():
                if matches(path.lower(), blake(data).hex()):
                    found.setdefault((name, path, data), []).append(number)
    rows = [(*key, tuple(numbers)) for key, numbers in found.items()]
    return sorted(rows, key=lambda row: (row[0], row[1], row[3]))


def asked(saved: Store, text: str) -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    for one in saved.find_files(text):
        yield one.name, one.path, one.hash, one.versions


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("MASK", r".*mask.*"),
        ("labels.csv", r".*labels\.csv.*"),
        ("sub-1/", r".*sub-1/.*"),
        ("it's 100%_", r".*it's 100%_.*"),
        ("a@2x", r".*a@2x.*"),
        ("*.nii.gz", r"(.*/)?[^/]*\.nii\.gz"),
        ("mask.nii*", r"(.*/)?mask\.nii[^/]*"),
        ("sub-?/mask.*", translate("sub-?/mask.*")),
        ("nowhere", r"(?!)"),
        ("'; drop table x; --", r"(?!)"),
    ],
)
def test_by_path(saved: Store, text: str, pattern: str) -> None:
    found = expected(lambda path, _digest: re.fullmatch(pattern, path) is not None)
    rows = [(name, path, blake(data).hex(), numbers) for name, path, data, numbers in found]
    assert list(asked(saved, text)) == rows


def test_by_hash(saved: Store) -> None:
    digest = blake(b"1").hex()
    where = [
        ("cmr", "sub-1/Mask.nii.gz", digest, (1, 2, 3)),
        ("echo", "deep/er/mask.nii", digest, (1,)),
    ]
    for text in (digest, digest[:7], f"blake3:{digest[:20]}", digest[:9].upper()):
        assert list(asked(saved, text)) == where
    assert [one.refs for one in saved.find_files(digest, limit=1)] == [
        ("cmr@v1", "cmr@v2", "cmr@v3")
    ]


def test_what_is_a_version_and_what_is_looked_for(saved: Store) -> None:
    for text in ("cmr", "CMR@v2", "cmr@gold", "echo@1"):
        assert saved.names_dataset(text), text
    for text in ("mask", "a@2x.png", "cmr/labels.csv", "*.csv", "", "Labels"):
        assert not saved.names_dataset(text), text
    saved.rename("echo", "ultrasound")
    assert saved.names_dataset("echo")
    assert {one.name for one in saved.find_files("mask")} == {"cmr", "ultrasound"}
    with pytest.raises(InvalidInput):
        list(saved.find_files(" "))
