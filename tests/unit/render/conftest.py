"""A screen of strings, and facts to draw."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datacat.model import Changes, Dataset, Version
from datacat.render.terminal import Screen

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """A screen, and what was written to each of its streams."""

    screen: Screen
    answers: io.StringIO
    notes: io.StringIO


def make(*, tty: bool = True, width: int = 80, **options: Any) -> Seen:
    answers, notes = io.StringIO(), io.StringIO()
    screen = Screen(
        answers=answers,
        notes=notes,
        answer_tty=tty,
        notes_tty=tty,
        width=width,
        colour=False,
        now=NOW,
        home="/home/bob",
        folder="/home/bob/proj",
        **options,
    )
    return Seen(screen, answers, notes)


@pytest.fixture
def see() -> Callable[..., Seen]:
    return make


def version(number: int = 4, **changes: Any) -> Version:
    values: dict[str, Any] = {
        "name": "cmr",
        "number": number,
        "hash": "9f3c" * 16,
        "message": "fix 72 masks",
        "author": "alice",
        "created_at": NOW - timedelta(hours=2),
        "files": 4836,
        "bytes": 18_600_000_000,
        "new_bytes": 300_000_000,
        "stored_bytes": 290_000_000,
        "base": "cmr@v3",
        "changes": Changes(added=24, modified=72, removed=0),
    }
    return Version(**(values | changes))


def dataset(name: str = "cmr", **changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "name": name,
        "description": "UK Biobank short-axis cine, anonymised",
        "owner": "alice",
        "tags": ("cardiac", "mri"),
        "latest": f"{name}@v4",
        "versions": 4,
        "aliases": {"gold": "v3"},
        "files": 4836,
        "bytes": 18_600_000_000,
        "created_at": NOW - timedelta(days=60),
        "updated_at": NOW - timedelta(hours=2),
        "last_message": "fix 72 masks",
    }
    return Dataset(**(values | changes))
