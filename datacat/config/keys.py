"""The table of settings, and how the text of a value becomes the value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from datacat.address import check_place, is_cluster
from datacat.errors import InvalidInput

Value = str | int | float | bool | tuple[str, ...] | Mapping[str, str] | None

DEFAULT_IGNORE = (
    ".DS_Store",
    "Thumbs.db",
    ".ipynb_checkpoints/",
    "__pycache__/",
    ".git/",
    ".datacat/",
)

LINK_MODES = ("auto", "reflink", "copy", "hardlink", "symlink")
THREADS = "threads"
"""The executor that is this process itself."""

USER_LENGTH_MAX = 64
_SECRET = re.compile(r"secret|password|passwd|token|credential|(^|_)key($|_)", re.IGNORECASE)
JOBS_MAX = 256
"""More threads than this only cost memory; a larger number is a typing error."""


class Shape(Enum):
    """What a value looks like, in the words of an error message."""

    TEXT = "a text"
    PLACE = "a folder or a URL"
    CHOICE = "one of the known words"
    COUNT = "a whole number from 1"
    RATIO = "a number from 0 to 1"
    YES_NO = "true or false"
    PATTERNS = "a list of patterns"
    EXECUTOR = "threads, or the scheduler of a cluster (dask://HOST:8786)"
    OPTIONS = "a table of options, each one text"


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: where it may be given, and what it means. `flag` is empty when there is none.

    `project` and `user` say whether a project file and the user's or the site's file may hold it.
    `default` is None when it depends on the surroundings.
    """

    name: str
    shape: Shape
    meaning: str
    flag: str = ""
    environment: tuple[str, ...] = ()
    project: bool = False
    user: bool = False
    choices: tuple[str, ...] = ()
    default: Value = None


_ALL = (
    Key(
        "store",
        Shape.PLACE,
        "the store to use",
        flag="--store",
        environment=("DATACAT_STORE",),
        project=True,
        user=True,
    ),
    Key(
        "store_options",
        Shape.OPTIONS,
        "options of the storage behind a URL; never secrets",
        project=True,
        user=True,
        default={},
    ),
    Key(
        "user",
        Shape.TEXT,
        "who you are to your team",
        environment=("DATACAT_USER", "JUPYTERHUB_USER"),
        user=True,
    ),
    Key(
        "link",
        Shape.CHOICE,
        "how pull puts files in place",
        flag="--link",
        environment=("DATACAT_LINK",),
        project=True,
        user=True,
        choices=LINK_MODES,
    ),
    Key(
        "jobs",
        Shape.COUNT,
        "how many threads move data",
        flag="--jobs",
        environment=("DATACAT_JOBS",),
        user=True,
    ),
    Key(
        "ignore",
        Shape.PATTERNS,
        "names that add leaves out, added to the default ones",
        project=True,
        user=True,
        default=DEFAULT_IGNORE,
    ),
    Key(
        "similar",
        Shape.RATIO,
        "share of equal bytes from which a folder is nearly a version",
        project=True,
        user=True,
        default=0.8,
    ),
    Key(
        "activity",
        Shape.YES_NO,
        "whether the team sees where your working copies are",
        environment=("DATACAT_ACTIVITY",),
        project=True,
        user=True,
        default=True,
    ),
    Key(
        "executor",
        Shape.EXECUTOR,
        "where add does its work",
        flag="--executor",
        environment=("DATACAT_EXECUTOR",),
        user=True,
        default=THREADS,
    ),
    Key(
        "cache_dir",
        Shape.PLACE,
        "where disposable files are kept",
        environment=("DATACAT_CACHE_DIR",),
        user=True,
    ),
    Key("format", Shape.CHOICE, "how answers are printed", flag="--json", default="auto"),
    Key(
        "colour",
        Shape.CHOICE,
        "when output has colour",
        flag="--color",
        environment=("NO_COLOR", "FORCE_COLOR", "TERM"),
        choices=("auto", "always", "never"),
        default="auto",
    ),
    Key(
        "prompts",
        Shape.YES_NO,
        "whether questions may be asked on a terminal",
        flag="--no-input",
        environment=("DATACAT_NO_INPUT", "JPY_PARENT_PID", "CI"),
        default=True,
    ),
    Key(
        "debug",
        Shape.YES_NO,
        "show tracebacks",
        flag="--debug",
        environment=("DATACAT_DEBUG",),
        default=False,
    ),
)

KEYS: Mapping[str, Key] = {key.name: key for key in _ALL}


def closest_key(name: str) -> str | None:
    """The key that was probably meant by `name`, or None."""
    found = difflib.get_close_matches(name.lower().replace("-", "_"), KEYS, n=1, cutoff=0.6)
    return found[0] if found else None


def known_key(name: str) -> Key:
    """The key called `name`. Raises `InvalidInput` with "did you mean" for an unknown one."""
    if key := KEYS.get(name.replace("-", "_")):
        return key
    meant = closest_key(name)
    raise InvalidInput(
        f"no setting '{name[:200]}'",
        kind="unknown_setting",
        hint=f"Did you mean '{meant}'?" if meant else None,
        commands=["datacat config"],
    )


def parse(key: Key, raw: object, *, source: str) -> Value:
    """The value that `raw` stands for: text from a flag or a variable, or what TOML gave.

    Raises `InvalidInput` that names `source`, the file or the variable it was read from.
    """
    if key.shape in (Shape.PLACE, Shape.EXECUTOR) and isinstance(raw, str):
        check_place(raw)  # first: what is wrong with a value is said by showing it
    value = _parsed(key, raw)
    if value is not None:
        return value
    expected = f"one of {', '.join(key.choices)}" if key.choices else key.shape.value
    raise InvalidInput(
        f"'{key.name}' in {source} is {_quoted(raw)}; expected {expected}",
        kind="bad_setting",
    )


def _quoted(raw: object) -> str:
    return f"'{raw[:80]}'" if isinstance(raw, str) else repr(raw)[:80]


def _parsed(key: Key, raw: object) -> Value | None:
    """The value, or None when `raw` is not one."""
    parsers: Mapping[Shape, Callable[[], Value | None]] = {
        Shape.TEXT: lambda: _text(key, raw),
        Shape.PLACE: lambda: _text(key, raw),
        Shape.CHOICE: lambda: raw if isinstance(raw, str) and raw in key.choices else None,
        Shape.COUNT: lambda: _count(raw),
        Shape.RATIO: lambda: _ratio(raw),
        Shape.YES_NO: lambda: raw if isinstance(raw, bool) else _yes_no(raw),
        Shape.PATTERNS: lambda: _patterns(raw),
        Shape.EXECUTOR: lambda: _executor(raw),
        Shape.OPTIONS: lambda: _options(raw),
    }
    return parsers[key.shape]()


def _count(raw: object) -> int | None:
    number = _number(raw)
    is_count = number is not None and number == int(number) and 1 <= number <= JOBS_MAX
    return int(number) if number is not None and is_count else None


def _ratio(raw: object) -> float | None:
    ratio = _number(raw)
    return ratio if ratio is not None and 0 <= ratio <= 1 else None


def _executor(raw: object) -> str | None:
    text = raw.strip() if isinstance(raw, str) else ""
    return text if text == THREADS or is_cluster(text) else None


def _patterns(raw: object) -> tuple[str, ...] | None:
    many = [p.strip() for p in raw.split(",")] if isinstance(raw, str) else raw
    if isinstance(many, list) and all(isinstance(p, str) and p for p in many):
        return tuple(many)
    return None


def _options(raw: object) -> Mapping[str, str] | None:
    if not isinstance(raw, Mapping):
        return None
    for name, value in raw.items():
        refuse_secret(str(name))
        if not isinstance(value, (str, int)):
            return None
    return {
        str(name): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in raw.items()
    }


def refuse_secret(option: str) -> None:
    """Raise `InvalidInput` when `option` is the name of a secret: those never go into a file."""
    if _SECRET.search(option):
        raise InvalidInput(
            f"'store_options.{option[:80]}' looks like a secret; settings never hold secrets",
            kind="secret_in_settings",
            hint="Use the storage's own way, for example AWS_PROFILE.",
        )


def _text(key: Key, raw: object) -> str | None:
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        return None
    if key.name == "user" and not (raw.isprintable() and len(raw) <= USER_LENGTH_MAX):
        return None
    return raw.strip()


def _number(raw: object) -> float | None:
    """`raw` as a finite number. A bool is not a number here, though Python thinks so."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None


def _yes_no(raw: object) -> bool | None:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    return words.get(raw.lower()) if isinstance(raw, str) else None


def is_truthy(text: str | None) -> bool:
    """True for a variable that is set to anything but nothing, 0, false, no or off."""
    return bool(text) and _yes_no(text) is not False
