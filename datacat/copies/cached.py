"""Disposable files of this client: written whole, or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write(file: Path, data: bytes) -> None:
    """Write `file` so that it is whole at all times. Best effort: without it, work is repeated."""
    temporary = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, file)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
