"""What was measured, kept in a file, so that a run can go on where it was stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

K = TypeVar("K", bound="Kept")


@dataclass
class Kept:
    """Figures of one scale on one machine: others do not belong in the same file."""

    scale: float
    machine: str

    def save(self, path: Path) -> None:
        """Write the file so that it is whole at all times."""
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        os.replace(temporary, path)


def load(kind: type[K], path: Path, *, scale: float, machine: str) -> K:
    """What a run before left, or nothing. Refuses to mix scales or machines."""
    if not path.exists():
        return kind(scale, machine)
    found = msgspec.json.decode(path.read_bytes(), type=kind)
    if found.scale != scale or found.machine != machine:
        raise SystemExit(
            f"{path} holds a run at scale {found.scale} on {found.machine}: name another folder"
            " or remove the file"
        )
    return found
