"""A version on a few lines, as text and for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator

from datacat.model import Version
from datacat.render.add import code_text, pairs_text
from datacat.text import count_of, human_bytes, printable, rfc3339


def card_text(version: Version) -> str:
    """`cmr@v3  4,836 files, 18.6 GB`, and a line for each fact that there is."""
    lines = [f"{version.ref}  {_size(version)}"]
    lines += [f"  {label:<9} {text}" for label, text in _facts(version)]
    return "\n".join(lines)


def card_html(version: Version) -> str:
    """The same as a table that needs no style sheet."""
    cell = 'style="text-align:left;padding:0 1em 0 0"'
    rows = "".join(
        f"<tr><th {cell}>{html.escape(label)}</th><td {cell}>{html.escape(text)}</td></tr>"
        for label, text in _facts(version)
    )
    head = f"<strong>{html.escape(version.ref)}</strong> {html.escape(_size(version))}"
    return f"<div>{head}<table>{rows}</table></div>"


def _size(version: Version) -> str:
    return f"{count_of(version.files, 'file')}, {human_bytes(version.bytes)}"


def _facts(version: Version) -> Iterator[tuple[str, str]]:
    yield "saved", f"{rfc3339(version.created_at)} by {printable(version.author)}"
    if version.message:
        yield "message", printable(version.message)
    if version.aliases:
        yield "aliases", printable(", ".join(version.aliases))
    if version.sources:
        yield "made from", printable(", ".join(version.sources))
    if version.params:
        yield "params", pairs_text(version.params)
    if version.metrics:
        yield "metrics", pairs_text(version.metrics)
    if version.code:
        yield "code", code_text(version.code)
    if version.added_from:
        yield "from", printable(version.added_from)
    yield "get it", f"datacat pull {version.ref}"
