"""A run: a block of code that remembers what it read, and saves its results with that.

with datacat.run(params={"lr": 3e-4}) as run:
    train(datacat.open("cmr@v3").path)
    run.add("runs/unet", name="unet-cmr", metrics={"dice": 0.912})
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, ContextDecorator, ExitStack, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from datacat.errors import Failed
from datacat.front import open_store
from datacat.inside import used
from datacat.model import AddResult, Code, Scalar
from datacat.organise.code import describe
from datacat.render.notebook_progress import notebook_listener
from datacat.store import Store

_current: ContextVar[Run | None] = ContextVar("run", default=None)


def current_run() -> Run | None:
    """The innermost run that this thread is in, if any."""
    return _current.get()


class Run(ContextDecorator):
    """What `datacat.run()` gives: use it with `with`, or as a decorator of a function.

    Every version that is read in the block is a source of what the run saves: by `datacat.open`,
    by `datacat://` URLs in this process, and by `use`. Of other threads that is known as long as
    only one run is under way. A run in a run keeps its own list, and the outer one has all.
    `seed` is noted as the parameter of that name; nothing is seeded.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        params: Mapping[str, Scalar] | None = None,
        seed: int | None = None,
        store: Store | None = None,
    ) -> None:
        self.name = name
        self.params: dict[str, Scalar] = dict(params or {})
        if seed is not None:
            self.params["seed"] = seed
        self.saved: list[AddResult] = []
        self._store = store
        self._lock = threading.Lock()
        self._sources: dict[str, None] = {}
        self._open: ExitStack | None = None
        self._code: Code | None = None

    @property
    def sources(self) -> list[str]:
        """The versions that were read so far, in the order of their first use."""
        with self._lock:
            return list(self._sources)

    def use(self, ref: str) -> None:
        """Count a version as read: one that was read by another process, or long ago.

        Raises `NotFound`.
        """
        with self._opened() as store:
            self.used(store.show(ref).version.ref)

    def used(self, ref: str) -> None:
        """The version `ref` is read (told by whatever reads)."""
        with self._lock:
            self._sources[ref] = None

    def add(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        metrics: Mapping[str, Scalar] | None = None,
        params: Mapping[str, Scalar] | None = None,
        **options: Any,
    ) -> AddResult:
        """Save a folder or file with the sources, parameters and code of this run.

        `name` is by default that of the run, `params` are added to those of the run, and `options`
        are those of `Store.add`. Raises what `Store.add` raises; `Failed` outside of the block.
        """
        if self._open is None:
            raise Failed("this run is over, or has not begun", kind="not_running")
        with self._opened() as store:
            options.setdefault("listener", notebook_listener())
            result = store.add(
                path,
                name=name or self.name,
                sources=[*self.sources, *options.pop("sources", ())],
                params={**self.params, **(params or {})},
                metrics=dict(metrics or {}),
                code=options.pop("code", self._code),
                **options,
            )
        self.saved.append(result)
        return result

    def _opened(self) -> AbstractContextManager[Store]:
        """The store to use in a block: one that was given stays open behind it."""
        return open_store() if self._store is None else nullcontext(self._store)

    def __enter__(self) -> Run:
        if self._open is not None:
            raise Failed("this run is under way already", kind="not_running")
        self._code = describe(os.getcwd())
        self._open = ExitStack()
        self._open.enter_context(used.listening(self))
        self._open.callback(_current.reset, _current.set(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _recreate_cm(self) -> Run:
        """A run of its own for each call of a function that it decorates."""
        return Run(self.name, params=self.params, store=self._store)

    def __repr__(self) -> str:
        return f"<run {self.name or ''} from {', '.join(self.sources) or 'nothing yet'}>"


run = Run
"""As it is called: `with datacat.run(…) as run`."""
