"""What `repair` says: what is damaged, where good copies are, and what is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from datacat.model import Damage, Mend, Repair
from datacat.render.verify import duration
from datacat.text import count_of, human_bytes, printable

SHOWN = 20
"""Lines of each kind; further ones are counted. `--json` has all."""

_Line = TypeVar("_Line")


def announced(plan: Repair) -> Iterator[str]:
    """What would be done, before anybody is asked."""
    if plan.damaged:
        yield f"{count_of(len(plan.damaged), 'damaged file')} of the store:"
        yield from _some(plan.damaged, lambda one: f"{one.path}: {one.reason}")
    if plan.mends:
        yield "Can be mended:"
        yield from _some(plan.mends, _mend)
    if plan.lost:
        yield "Lost, no good copy was found:"
        yield from _some(plan.lost, _lost)


def mended(result: Repair, *, dry_run: bool) -> Iterator[str]:
    """What was done."""
    if result.is_empty and not result.lost:
        read = f"{count_of(result.checked_files, 'file')} of the store"
        size = human_bytes(result.checked_bytes)
        yield f"{read} checked, {size} in {duration(result.seconds)}: nothing to mend."
    elif result.done:
        count = count_of(len(result.mends), "thing")
        yield f"Mended {count}; every byte was compared." if result.mends else "Nothing was mended."
        if result.lost:
            yield "What is lost is set aside. To bring it back, add the same files again."
    elif dry_run and not result.is_empty:
        yield "Nothing was changed.   Do it:  datacat repair"
    elif not result.is_empty:
        yield "Nothing was changed."
    else:
        yield "It was set aside before. To bring it back:  datacat repair --from STORE"


def _some(found: Sequence[_Line], line: Callable[[_Line], str]) -> Iterator[str]:
    for one in found[:SHOWN]:
        yield printable(f"  {line(one)}")
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN:,} more"


def _mend(mend: Mend) -> str:
    where = f" ({mend.key})" if mend.key else ""
    return f"{mend.what}{where}   from {mend.source}"


def _lost(damage: Damage) -> str:
    return f"{damage.ref}/{damage.path}"
