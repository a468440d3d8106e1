"""Two stores, and a dataset whose versions are edits of each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from datacat.model import Layout, Parameters
from datacat.opened import Client
from datacat.store import Store
from tests.chunked import shrink, tiny

Clients = Callable[..., Client]


@dataclass
class Pair:
    """alice's store `here`, bob's store `there`, and the folder that versions are saved from."""

    here: Store
    there: Store
    folder: Path

    def save(self, edit: int, **more: object) -> str:
        """Save the next version of cmr: `edit` is where its files are changed; its reference."""
        self.folder.mkdir(exist_ok=True)
        dice = random.Random(1)
        data = bytearray(dice.randbytes(30_000))
        text = "".join(f"{n},{dice.randrange(1000)}\n" for n in range(3_000)).encode()
        data[edit * 500 : edit * 500 + 5] = b"edit%d" % (edit % 10)
        (self.folder / "scan.bin").write_bytes(data)
        at = edit * 600
        (self.folder / "labels.csv").write_bytes(text[:at] + b"%d!\n" % edit + text[at:])
        (self.folder / "note.txt").write_text(f"version {edit}")
        return self.here.add(self.folder, name="cmr", **more).version.ref  # type: ignore[arg-type]


def make_pair(folder: Path, client: Clients, parameters: Parameters) -> Pair:
    here = Store.create(str(folder / "here"), client=client("alice"), parameters=parameters)
    there = Store.create(str(folder / "there"), client=client("bob"), parameters=parameters)
    return Pair(here, there, folder / "cmr")


@pytest.fixture
def pair(tmp_path: Path, client: Clients, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Stores of tiny chunks: the first content is whole, and edits lie inside of it."""
    shrink(monkeypatch)
    return make_pair(tmp_path, client, tiny(Layout.AUTO))


@pytest.fixture
def chunked(tmp_path: Path, client: Clients, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The same with all content in chunks."""
    shrink(monkeypatch)
    return make_pair(tmp_path, client, tiny(Layout.CHUNKED))
