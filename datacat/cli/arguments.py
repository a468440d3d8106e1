"""Reading arguments that have a shape of their own: ages, sort keys, K=V pairs, files of them."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from datacat.errors import Failed, InvalidInput, NotFound
from datacat.model import Better, Scalar

SORT_KEYS = ("name", "updated", "size", "used")
FILE_BYTES_MAX = 1 << 20
"""A file of parameters larger than this is something else, given by mistake."""

_AGE = re.compile(r"(\d{1,5})\s*(min|h|d|w|y)")
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,9})?) ?(?:([kmgtp])(i)?)?b?")
_SECONDS = {"min": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_557_600}


def parse_since(text: str | None, *, now: datetime) -> datetime | None:
    """The moment that `7d`, `12h`, `2w`, `today` or `2026-11-01` stands for, in UTC.

    A date without a zone is local time. Raises `InvalidInput` for anything else.
    """
    if text is None:
        return None
    word = text.strip().lower()
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if match := _AGE.fullmatch(word):
            return now - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
        if word in ("today", "yesterday"):
            return (midnight - timedelta(days=word == "yesterday")).astimezone(UTC)
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"'{text[:80]}' is not an age or a date",
            kind="bad_age",
            hint="Give an age like 7d, 12h or 2w, or a date like 2026-11-01.",
        ) from None


def parse_size(text: str | None) -> int:
    """The bytes that `100MB`, `1.5 GiB` or `4096` stand for; 0 for None.

    Units are decimal unless written with an `i`. Raises `InvalidInput` for anything else.
    """
    if text is None:
        return 0
    match = _SIZE.fullmatch(text.strip().lower())
    size = 0.0
    if match:
        base = 1024 if match[3] else 1000
        size = float(match[1]) * base ** " kmgtp".index(match[2] or " ")
    if not match or size >= 1 << 62:
        raise InvalidInput(
            f"'{text[:80]}' is not a size",
            kind="bad_size",
            hint="Give bytes, or a number with a unit: 100MB, 1.5GiB.",
        )
    return int(size)


def parse_period(option: str, text: str | None) -> timedelta | None:
    """How long `30d`, `12h` or `0d` is. Raises `InvalidInput` for anything else."""
    if text is None:
        return None
    word = text.strip().lower()
    if match := _AGE.fullmatch(word):
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if word == "0":
        return timedelta(0)
    raise InvalidInput(
        f"{option} '{text[:80]}' is not an age",
        kind="bad_age",
        hint="Give an age like 30d, 12h or 2w.",
    )


def parse_sort(text: str | None) -> tuple[str, bool | None]:
    """`size:asc` as (`size`, descending False); without a direction None, the key's own."""
    if text is None:
        return "updated", None
    key, colon, direction = text.lower().partition(":")
    if key not in SORT_KEYS or (colon and direction not in ("asc", "desc")):
        raise InvalidInput(
            f"cannot sort by '{text[:80]}'",
            kind="bad_sort",
            hint=f"Known: {', '.join(SORT_KEYS)}, each with :asc or :desc.",
        )
    return key, (direction == "desc") if colon else None


def parse_pairs(option: str, pairs: Iterable[str]) -> dict[str, Scalar]:
    """`lr=3e-4` and the like. A value that is a JSON scalar is that, anything else is text."""
    found: dict[str, Scalar] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InvalidInput(
                f"{option} '{pair[:80]}' is not KEY=VALUE",
                kind="bad_pair",
                hint=f"For example:  {option} lr=3e-4",
            )
        found[key.strip()] = _scalar(value)
    return found


def parse_options(pairs: Iterable[str]) -> dict[str, str]:
    """`endpoint=https://…` and the like, of a storage. Raises `InvalidInput`, also for secrets."""
    from datacat.config.keys import refuse_secret

    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        refuse_secret(key)
        if not equals or not key.strip():
            # Not quoted: it may be a secret.
            raise InvalidInput(
                "--option is not KEY=VALUE",
                kind="bad_pair",
                hint="For example:  --option endpoint=https://minio.example.org",
            )
        found[key.strip()] = value.strip()
    return found


def parse_metrics(option: str, pairs: Iterable[str]) -> tuple[dict[str, Scalar], dict[str, Better]]:
    """`loss=0.2:min` and the like: the values, and for some whether small or large are good."""
    values = parse_pairs(option, pairs)
    better: dict[str, Better] = {}
    for key, value in values.items():
        head, colon, word = value.rpartition(":") if isinstance(value, str) else ("", "", "")
        if word.strip().lower() in [*Better]:
            better[key] = Better(word.strip().lower())
            values[key] = _scalar(head)
        elif colon and word.strip().isalpha() and not isinstance(_scalar(head), str):
            raise InvalidInput(
                f"{option} '{key}={value}'"[:120] + " ends with neither :min nor :max",
                kind="bad_direction",
                hint="To say that small values are good:",
                commands=[f"{option} {key}={head}:min"],
            )
    return values, better


def _scalar(text: str) -> Scalar:
    def not_json(constant: str) -> None:
        raise ValueError(constant)  # NaN and Infinity: text, since JSON has no such numbers

    try:
        value = json.loads(text, parse_constant=not_json)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value if isinstance(value, (str, int, float)) or value is None else text


def read_pairs(option: str, path: str) -> dict[str, Scalar]:
    """The values in a JSON, TOML or YAML file; tables in it become dotted keys.

    Raises `NotFound`, `Failed` when it cannot be read, `InvalidInput` when it is not a table.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise NotFound(f"no file {path} (for {option})", kind="file_not_found") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not text (for {option})", kind="bad_pairs_file") from error
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror or error}", kind="unreadable") from error
    if len(text) > FILE_BYTES_MAX:
        raise InvalidInput(f"{path} is larger than 1 MiB (for {option})", kind="bad_pairs_file")
    try:
        table = _loaded(path, text)
    except (ValueError, RecursionError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise InvalidInput(f"cannot read {path}: {reason}", kind="bad_pairs_file") from error
    if not isinstance(table, Mapping):
        raise InvalidInput(f"{path} holds no table of names and values", kind="bad_pairs_file")
    return dict(_flattened(table, ""))


def _loaded(path: str, text: str) -> object:
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        return _loaded_yaml(path, text)
    return json.loads(text)


def _loaded_yaml(path: str, text: str) -> object:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise InvalidInput(
            f"cannot read {path}: PyYAML is not installed",
            kind="yaml_missing",
            commands=["pip install 'datacat[yaml]'"],
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def _flattened(table: Mapping[object, object], prefix: str) -> Iterable[tuple[str, Scalar]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flattened(value, name + ".")
        elif isinstance(value, (list, tuple)):
            yield name, json.dumps(value, default=str, ensure_ascii=False)
        elif isinstance(value, float) and not math.isfinite(value):
            yield name, str(value)
        elif isinstance(value, (str, int, float)) or value is None:
            yield name, value
        else:
            yield name, str(value)
