"""Words for people: sizes, ages, names made printable, and "did you mean"."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def human_bytes(count: int) -> str:
    """`18.6 GB`: decimal units, as drives and clouds count."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in _UNITS[1:]:
        value /= 1000
        if value < 999.95 or unit == _UNITS[-1]:
            return f"{value:.1f} {unit}"
    raise AssertionError("unreachable")


def bytes_of(part: int, whole: int) -> str:
    """`18.2 of 18.6 GB`, `900.0 kB of 1.2 MB`."""
    parts, total = human_bytes(part), human_bytes(whole)
    number, _, unit = parts.partition(" ")
    return f"{number} of {total}" if total.endswith(f" {unit}") else f"{parts} of {total}"


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """`4,812 files`, `1 file`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def printable(text: str) -> str:
    """`text` with control, bidirectional and zero-width characters shown as escapes.

    Names and messages come from other people: they must not move the cursor, hide or reorder.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if _is_unsafe(c) else c for c in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte of a name that is not UTF-8
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell_width(text: str) -> int:
    """How many cells of a terminal `text` takes: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(c) in {"Mn", "Me"}
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def sentence(text: str) -> str:
    """`text` with a full stop, unless it ends with a mark of its own."""
    return text if text.endswith((".", "?", ":", "…", "!")) else text + "."


_WORD = r"(?:final|copy|kopie|new|old|bak|backup|tmp|temp|latest|orig)"
_VERSION_WORDS = re.compile(
    rf"[-_. ]+(?:\(?{_WORD}\)?(?:[-_. ]?\(?\d{{1,3}}\)?)?|v\d+|\d{{6,8}}|20\d\d[-_.]\d\d[-_.]\d\d)$"
    r"|[-_. ]*\(\d+\)$"
)
_COPY_OF = re.compile(r"^(?:copy[-_. ]of|kopie[-_. ]von)[-_. ]+")


def without_version_words(name: str) -> str | None:
    """`cmr` for `cmr_final_v2_new`, `x-copy`, `data_20261103`, `data (1)`, `Copy of data`: names
    that count versions by hand.

    None when `name` has no such ending, or is nothing else.
    """
    short = _COPY_OF.sub("", name.lower())
    while (cut := _VERSION_WORDS.sub("", short)) != short:
        short = cut
    return short if short and short != name.lower() else None


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def human_age(then: datetime, now: datetime) -> str:
    """`2 hours ago` up to 30 days, then the date `2026-10-03`."""
    seconds = (now - then).total_seconds()
    if seconds < 0 or seconds >= 30 * 86_400:
        return "just now" if -120 < seconds < 0 else then.astimezone().strftime("%Y-%m-%d")
    if seconds < 60:
        return "just now"
    if seconds < 3_600:
        return count_of(int(seconds // 60), "minute") + " ago"
    if seconds < 86_400:
        return count_of(int(seconds // 3_600), "hour") + " ago"
    days = int(seconds // 86_400)
    if days == 1:
        return "yesterday"
    return f"{days} days ago" if days < 14 else f"{days // 7} weeks ago"


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T09:14:03Z`: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
