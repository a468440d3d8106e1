"""Paths that somebody may put into a list of files: those that lead elsewhere, and odd ones."""

from __future__ import annotations

from collections.abc import Iterator

LEADING_AWAY = (
    "..",
    ".",
    "",
    ".datacat",
    ".DATACAT",
    ".DataCat",
    "\0",
    "nul\0byte",
    "..\0",
    "x" * 256,
    "é" * 128,
    "\U0001f600" * 64,
)
"""Names that no file may have."""

PLACES = ("{}", "{}/x", "a/{}", "a/{}/x", "{0}/{0}/x", "/{}", "./{}", "a/b/../{}")

ODD = (
    *(chr(code) for code in (*range(1, 32), 127, 0x85, 0xA0)),
    "\u200b",
    "\u200e",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\u2028",
    "\ufffd",
    "\u0301",
    "e\u0301",
    "é",
    "\u1e9e",
    "ß",
    "\u0130",
    "ﬁ",
    "\U0001f600",
    "x" * 255,
    "é" * 127,
    "...",
    "....",
    "..a",
    "a..",
    ". .",
    " ",
    "  x ",
    "-rf",
    "--help",
    "~",
    "~root",
    "$HOME",
    "${IFS}",
    "`id`",
    "$(id)",
    ";id",
    "|id",
    "&id",
    ">x",
    "<x",
    "!!",
    "*",
    "?",
    "[x]",
    "{a,b}",
    "'",
    '"',
    "\\",
    "..\\",
    "..\\..\\x",
    "C:",
    "C:\\x",
    "\\\\server\\share",
    "a:b",
    "con",
    "nul.txt",
    "x.",
    "x ",
    "%2e%2e",
    "..%2f..%2fx",
    "%00",
    "%s%n",
    "{0}",
    "\uff0e\uff0e",
    "\u2024\u2024",
    "..\u2215x",
    "#",
    "@",
    "=cmd|' /C calc'!A0",
    "datacat://cmr@v1",
    "file:///etc/passwd".replace("/", "\u2044"),
    ".git",
    ".gitignore",
    ".datacatignore",
    "x.datacat",
    ".datacat-tmp",
    "tmp",
    "store.json",
    "catalog",
    "__pycache__x",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;t\x07",
    "\r\nSet-Cookie x",
    "<script>alert(1)</script>".replace("/", "\\"),
    "';drop table t;--",
    "null",
    "NaN",
)
"""Names that are allowed, and must arrive as they are."""


def paths() -> Iterator[str]:
    """All of them."""
    for name in LEADING_AWAY:
        for place in PLACES:
            yield place.format(name)
    for deep in range(1, 21):
        yield "../" * deep + "etc/passwd"
        yield "a/" * deep + "../" * (deep + 1) + "x"
    yield from ("/", "//", "/etc/passwd", "//server/share", "a//b", "a/", "/".join(["d"] * 2100))
    for name in ODD:
        yield from (name, f"a/{name}", f"{name}/x")


def is_safe(path: str) -> bool:
    """The rule of the format, in plain Python."""
    parts = path.split("/")
    return (
        not {"", ".", ".."} & set(parts)
        and "\0" not in path
        and not any(part.lower() == ".datacat" for part in parts)
        and all(len(part.encode()) <= 255 for part in parts)
        and len(path.encode()) <= 4096
    )
