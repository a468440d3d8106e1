"""What `config` shows: each setting with its value and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datacat.config import KEYS, Settings
from datacat.render.table import Column, print_table
from datacat.render.terminal import Screen


@dataclass(frozen=True, slots=True)
class Line:
    """One setting as it is in force."""

    key: str
    value: object
    source: str


def lines_of(settings: Settings) -> list[Line]:
    """Every setting, in the order of the table of settings."""
    return [Line(key, settings.value(key), settings.sources[key]) for key in KEYS]


def document(line: Line) -> dict[str, object]:
    """The JSON of one setting."""
    value = line.value
    if isinstance(value, tuple):
        value = list(value)
    elif isinstance(value, Mapping):
        value = dict(value)
    return {"key": line.key, "value": value, "from": line.source}


def value_text(value: object) -> str:
    """A value on one line, as it is typed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def print_settings(screen: Screen, settings: Settings) -> None:
    """The table of settings."""

    def place(text: str) -> str:
        return screen.place(text) if text.startswith("/") else text

    columns: list[Column[Line]] = [
        Column("KEY", lambda line: line.key),
        Column(
            "VALUE",
            lambda line: place(value_text(line.value)),
            lambda line: value_text(line.value),
            flexible=True,
        ),
        Column("FROM", lambda line: place(line.source), lambda line: line.source),
    ]
    print_table(screen, columns, lines_of(settings))
