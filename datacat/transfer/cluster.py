"""From `dask://host:8786` to the executor of a cluster, through dask.distributed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from datacat.address import check_place, is_cluster, split_scheme
from datacat.config.keys import THREADS
from datacat.errors import Failed, InvalidInput

CONNECT_SECONDS = 10


def check_executor(name: str) -> str:
    """`name` itself if it is `threads` or `dask://HOST:PORT`. Raises `InvalidInput`."""
    if name == THREADS or is_cluster(name):
        return name
    check_place(name)  # first: what is wrong with it is said by showing it
    raise InvalidInput(
        f"'{name[:80]}' is no executor",
        kind="bad_executor",
        hint="It is threads, or the scheduler of a cluster: dask://HOST:8786.",
    )


@contextmanager
def connected(executor: Executor | str | None) -> Iterator[Executor | None]:
    """The executor that is meant, None for the threads of this process.

    Raises `InvalidInput`, and `Failed`: `no_cluster` when the scheduler does not answer or has no
    workers, `executor_needs_package` when dask.distributed is not installed.
    """
    if not isinstance(executor, str):
        yield executor
        return
    if check_executor(executor) == THREADS:
        yield None
        return
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise Failed(
            f"a cluster needs the package {error.name}, which is not installed",
            kind="executor_needs_package",
            commands=["pip install 'datacat[dask]'"],
        ) from None
    dask: Any = distributed  # it has no types
    place = split_scheme(executor)[1]
    try:
        client = dask.Client(f"tcp://{place}", timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError):
        raise Failed(
            f"no scheduler of a cluster answers at {executor}",
            kind="no_cluster",
            hint="Is it running, and can this machine reach it?",
        ) from None
    with client:
        if not client.nthreads():
            raise Failed(f"the cluster at {executor} has no workers", kind="no_cluster")
        # The default would take two equal calls for one.
        yield client.get_executor(pure=False)
