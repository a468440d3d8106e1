"""Wrong ways to repair, as patches of the real repair: the simulator must notice what they lose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from datacat.digest import digest_of
from datacat.maintenance.repair import run, sources, store_again
from datacat.objects.pack import assembled, read_footer
from datacat.opened import OpenedStore
from datacat.sql import Workspace


@contextmanager
def overwrites_in_place() -> Iterator[None]:
    """A damaged pack is written anew, under its name, with what of it was found good elsewhere."""
    execute = run._Repair.execute

    def in_place(self: run._Repair, log: Any) -> None:
        execute(self, log)
        backend = self._store.backend
        rows = self._workspace.all("select container, chunk from bad order by container")
        for container in dict.fromkeys(key for key, _ in rows):
            bad = {chunk for key, chunk in rows if key == container}
            size = len(backend.read(container))
            kept = [e for e in read_footer(backend, container, size_bytes=size) if e.digest in bad]
            frames = b"".join(bytes(e.stored_size) for e in kept)
            backend.replace(container, assembled(frames, kept, digest_bytes=32))

    with mock.patch.object(run._Repair, "execute", in_place):
        yield


@contextmanager
def believes_its_copies() -> Iterator[None]:
    """Whatever has the size of what is missing is taken for it, and for good from then on."""

    def believed(path: Path, size: int, *_: Any) -> bytes | None:
        return _wanted.get(size) if path.stat().st_size == size else None

    _wanted: dict[int, bytes] = {}
    locate = sources.Sources.locate

    def noting(self: sources.Sources) -> Any:
        rows = self._workspace.all("select size, digest from missing")
        _wanted.update(dict(rows))
        return locate(self)

    def unchecked(_algorithm: str, data: bytes) -> bytes:
        return _wanted.get(len(data)) or digest_of("blake3", data)

    with (
        mock.patch.object(sources, "_digest_of", believed),
        mock.patch.object(sources.Sources, "locate", noting),
        mock.patch.object(store_again, "digest_of", unchecked),
    ):
        yield


@contextmanager
def record_first() -> Iterator[None]:
    """The record says that content lies elsewhere before it does."""
    publish_segment, relocate = store_again.publish_segment, store_again.relocate
    waiting: list[tuple[OpenedStore, str, bytes]] = []

    def promised(store: OpenedStore, workspace: Workspace, relation: str, key: str) -> Any:
        with mock.patch.object(store.backend, "write_file") as kept:
            found = publish_segment(store, workspace, relation, key)
        if kept.called:
            waiting.append((store, key, Path(kept.call_args.args[1]).read_bytes()))
        return found

    def then_written(store: OpenedStore, *arguments: Any, **more: Any) -> None:
        relocate(store, *arguments, **more)
        for _, key, data in waiting:
            store.backend.write(key, data)
        waiting.clear()

    with (
        mock.patch.object(store_again, "publish_segment", promised),
        mock.patch.object(store_again, "relocate", then_written),
    ):
        yield


@contextmanager
def takes_back_what_was_set_aside() -> Iterator[None]:
    """What is damaged is said to be good where it lies: set aside no more, without a look at it."""

    def lifted(store: OpenedStore, _places: Any) -> None:
        pass

    with (
        mock.patch.object(run, "quarantine", lifted),
        mock.patch.object(run._Repair, "_store_again"),
    ):
        yield
