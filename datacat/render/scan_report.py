"""The full report of a scan as one HTML page: no script, nothing loaded, readable on a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from html import escape
from pathlib import Path

from datacat.errors import Failed
from datacat.model import CopyGroup, CopyPlace, ScanResult
from datacat.render.scan import left_out, percent, summary, what
from datacat.text import count_of, human_bytes, printable, rfc3339

PATHS_OPEN = 5
"""More copies than this are folded away until somebody wants to see them."""

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Copies</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 0; }
section { border-top: 1px solid #8886; padding: .8rem 0; }
h2, li, p { overflow-wrap: anywhere; }
ul { font: .9rem/1.5 ui-monospace, monospace; margin: .3rem 0; padding-left: 1.2rem; }
.wasted { font-weight: 600; } .quiet { opacity: .75; }
summary { cursor: pointer; }
</style>
</head>
<body>
"""


def write_report(path: Path, result: ScanResult, *, now: datetime) -> None:
    """Write the report to `path`: all of it or, if it fails, nothing. Raises `Failed`."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(page(result, now=now))
        os.replace(temporary, path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failed(
            f"cannot write the report {printable(str(path))}: {reason}", kind="write_failed"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def page(result: ScanResult, *, now: datetime) -> Iterator[str]:
    """The page in pieces."""
    yield _HEAD
    yield f"<h1>{_text(summary(result))}</h1>\n"
    roots = ", ".join(_text(root) for root in result.roots)
    yield (
        f"<p>{roots}: {count_of(result.files, 'file')} in {count_of(result.folders, 'folder')},"
        f' looked at on <time datetime="{rfc3339(now)}">{now:%Y-%m-%d %H:%M} UTC</time>.'
        " Hard links and reflinks are counted once. Nothing was changed.</p>\n"
    )
    for group in result.groups:
        yield from _group(group)
    if not result.groups:
        yield "<p>No copies were found.</p>\n"
    more = result.groups_total - len(result.groups)
    if more:
        yield f'<p class="quiet">{count_of(more, "smaller group")} not listed.</p>\n'
    if notes := "".join(f"<li>{_text(line.strip())}</li>\n" for line in left_out(result)):
        yield f"<section><h2>Left out</h2><ul>\n{notes}</ul></section>\n"
    yield "</body>\n</html>\n"


def _group(group: CopyGroup) -> Iterator[str]:
    each = human_bytes(group.bytes_each)
    files = "" if group.files_each == 1 else f", {count_of(group.files_each, 'file')}"
    yield (
        f'<section>\n<h2>{_text(what(group))}</h2>\n<p><span class="wasted">'
        f"{human_bytes(group.wasted_bytes)} wasted</span> by"
        f" {count_of(group.copies, 'copy', 'copies')} of {each}{files}"
        f' <span class="quiet">group {_text(group.id)}</span></p>\n'
    )
    first, rest = group.paths[:PATHS_OPEN], group.paths[PATHS_OPEN:]
    yield f"<ul>\n{''.join(map(_item, first))}</ul>\n"
    if hidden := group.paths_total - len(first):
        yield f"<details><summary>{hidden:,} more</summary>\n<ul>\n"
        yield from map(_item, rest)
        if unlisted := hidden - len(rest):
            yield f"<li>and {unlisted:,} not listed</li>\n"
        yield "</ul></details>\n"
    yield "</section>\n"


def _item(place: CopyPlace) -> str:
    return f"<li>{_text(place.path)}{percent(place)}</li>\n"


def _text(text: str) -> str:
    """Text of other people: controls and invisible characters visible, markup only text."""
    return escape(printable(text))
