"""Changing a file of settings: comments and order stay, and a reader never sees half a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from datacat.address import check_place
from datacat.config.gather import read_toml
from datacat.config.keys import Key, Shape, Value, known_key, parse, refuse_secret
from datacat.errors import Failed, InvalidInput, NotFound

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def set_value(path: Path, name: str, text: str) -> Value:
    """Set `name` to what `text` stands for in the user's file at `path`, which may not exist yet.

    `store_options.endpoint` sets one option of the table. Returns the value that was written.
    Raises `InvalidInput` for an unknown key, a bad value, a secret, or a key that no user can set.
    """
    head, dot, option = name.partition(".")
    key = _settable(name if dot and known_key(head).shape is not Shape.OPTIONS else head)
    if (key.shape is Shape.OPTIONS) != bool(dot and option):
        raise InvalidInput(
            f"'{name[:200]}' cannot be set to one text",
            kind="bad_setting",
            commands=["datacat config set store_options.endpoint URL"],
        )
    value: Value
    if dot:
        refuse_secret(option)
        check_place(text)
        value = text
    else:
        value = parse(key, text, source="the command")
    document = _open(path)
    if dot:
        import tomlkit

        document.setdefault(key.name, tomlkit.table())[option] = text
    else:
        document[key.name] = list(value) if isinstance(value, tuple) else value
    _save(path, document)
    return value


def unset_value(path: Path, name: str) -> None:
    """Remove `name` from the user's file. Raises `NotFound` when it is not set there."""
    head, dot, option = name.partition(".")
    key = known_key(head)
    document = _open(path)
    place = document.get(key.name, {}) if dot else document
    entry = option if dot else key.name
    if entry not in place:
        raise NotFound(f"'{name[:200]}' is not set in {path}", kind="setting_not_set")
    del place[entry]
    if dot and not place:
        del document[key.name]
    _save(path, document)


def _settable(name: str) -> Key:
    key = known_key(name)
    if key.user:
        return key
    raise InvalidInput(
        f"'{key.name}' cannot be kept in your settings",
        kind="not_a_user_setting",
        hint=f"Give it each time: {key.flag}." if key.flag else None,
    )


def _open(path: Path) -> TOMLDocument:
    import tomlkit

    # `read_toml` says what is wrong with the file; tomlkit then keeps its comments.
    if read_toml(path) is None:
        return tomlkit.document()
    return tomlkit.parse(path.read_text(encoding="utf-8"))


def _save(path: Path, document: TOMLDocument) -> None:
    """Write to a temporary beside the file, then rename. A symlinked file stays a symlink."""
    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".config-", dir=target.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(document.as_string())
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode & 0o7777)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise Failed(
            f"cannot write the settings in {path}: {error.strerror or error}",
            kind="settings_not_written",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
