"""What `edit` says: each fact that changed, and what it is now."""

from __future__ import annotations

from datacat.model import Better, Edit, EditResult
from datacat.render.add import scalar_text
from datacat.text import printable


def summary(result: EditResult) -> str:
    """`cmr: owner alice → dana; tags cardiac, mri, ukb`."""
    subject = result.version.ref if result.version else result.dataset.name
    if not result.edits:
        return f"{subject} is so already; nothing was changed."
    return f"{subject}: {'; '.join(_said(edit) for edit in result.edits)}"


def _said(edit: Edit) -> str:
    before, after = scalar_text(edit.before), scalar_text(edit.after)
    if edit.what == "owner":
        return f"owner {before} → {after}"
    if edit.what == "tags":
        return f"tags {after}" if edit.after else "no tags"
    if edit.what in ("description", "message"):
        return f'{edit.what} "{after}"' if edit.after else f"no {edit.what}"
    key = printable(edit.key)
    if edit.what == "better":
        return f"{key} is better when {'small' if edit.after == Better.MIN else 'large'}"
    if edit.after is None:
        return f"{key} removed (was {before})"
    return f"{key} {after}" if edit.before is None else f"{key} {before} → {after}"
