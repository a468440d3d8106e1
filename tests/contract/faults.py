"""Make one system call of this process fail: before it did its work, or after."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Faults:
    """`break_call` replaces `os.<name>`; `calls` counts how often it failed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.calls = 0

    def break_call(
        self,
        name: str,
        code: int,
        *,
        when: Callable[..., bool] = lambda *args: True,
        after: bool = False,
        times: int = 1_000_000,
    ) -> None:
        real = getattr(os, name)

        def failing(*args: Any, **options: Any) -> Any:
            if self.calls >= times or not when(*args):
                return real(*args, **options)
            self.calls += 1
            if after:
                real(*args, **options)
            raise OSError(code, os.strerror(code))

        self._monkeypatch.setattr(os, name, failing)


def is_folder(fd: int) -> bool:
    return Path(f"/proc/self/fd/{fd}").is_dir()


def is_file(fd: int) -> bool:
    return Path(f"/proc/self/fd/{fd}").resolve().parent.name == "tmp"


def creates(path: str, flags: int, *rest: object) -> bool:
    return bool(flags & os.O_CREAT)


def opens_folder(path: str, flags: int, *rest: object) -> bool:
    return bool(flags & os.O_DIRECTORY)
