"""Bring many manifests at once: several are downloaded together, and checked together."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datacat.backend import Backend
from datacat.backend.download import StoredFile, cache_error, download, holds
from datacat.manifest.parquet import check_manifests
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded, threads

BATCH = 256
"""Manifests that one query looks into: opening one takes longer than reading a small one."""


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A manifest that is in the cache as `target`, or was just downloaded as `fresh`."""

    key: str
    target: Path
    fresh: Path | None


def fetch_manifests(
    backend: Backend,
    workspace: Workspace,
    wanted: Sequence[StoredFile],
    folder: Path,
    *,
    jobs: int,
    stop: StopSignal,
) -> Iterator[dict[str, Path]]:
    """The local copies of `wanted` by their keys, `BATCH` at a time.

    What the cache folder `folder` does not hold is downloaded by `jobs` threads. Raises `Corrupt`
    naming the manifest that is missing, damaged or holds impossible entries.
    """
    arriving = folder / f".arriving-{secrets.token_hex(6)}"

    def bring(stored: StoredFile) -> _Arrived:
        stop.check()
        name = stored.key.rpartition("/")[2]
        if holds(folder / name, stored):
            return _Arrived(stored.key, folder / name, None)
        download(backend, stored, arriving / name)
        return _Arrived(stored.key, folder / name, arriving / name)

    try:
        with threads(jobs) as executor:
            for start in range(0, len(wanted), BATCH):
                batch = wanted[start : start + BATCH]
                arrived = list(run_bounded(executor, bring, batch, jobs=jobs, stop=stop))
                _keep(workspace, arrived)
                yield {one.key: one.target for one in arrived}
    except OSError as error:
        raise cache_error(error, folder) from error
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


def _keep(workspace: Workspace, arrived: Sequence[_Arrived]) -> None:
    """Look into what was downloaded, and only then give it its name in the cache."""
    fresh = {one.fresh: one for one in arrived if one.fresh is not None}
    if fresh:
        check_manifests(workspace, {path: one.key for path, one in fresh.items()})
    for path, one in fresh.items():
        path.replace(one.target)
