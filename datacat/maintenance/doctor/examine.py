"""Run the checks one after the other, each in a thread that may be left behind."""

from __future__ import annotations

import threading

from datacat.errors import DatacatError
from datacat.maintenance.doctor import machine, place, remote, team
from datacat.maintenance.doctor.visit import CheckFunction, Subject, Visit, advice, fail, note
from datacat.model import Check, Diagnosis

DEADLINE_SECONDS = 15.0
"""Longer than all tries of a call that is repeated, shorter than a person's patience."""

ALWAYS: tuple[tuple[str, CheckFunction], ...] = (
    ("versions", machine.versions),
    ("settings", machine.settings),
    ("store", place.store),
)
"""What is looked at first, whatever the store is like."""

IN_STORE: tuple[tuple[str, CheckFunction], ...] = (
    ("access", place.access),
    ("group", team.group),
    ("atomic", place.atomic),
    ("clock", place.clock),
    ("permissions", remote.permissions),
    ("lifecycle", remote.lifecycle),
    ("speed", remote.speed),
    ("log", team.log),
    ("links", place.links),
    ("disk", place.disk),
    ("temporary", team.temporary),
    ("copies", team.copies),
)
"""What can be looked at when the store was reached."""

AT_LAST: tuple[tuple[str, CheckFunction], ...] = (
    ("identity", machine.identity),
    ("cache", machine.cache),
)


def examine(
    subject: Subject, *, fix: bool = False, deadline_seconds: float = DEADLINE_SECONDS
) -> Diagnosis:
    """Look at everything. Never raises: what goes wrong is a check that failed.

    With `fix`, removes this user's own leftovers. A check that takes longer than
    `deadline_seconds` (in a store that answered before, four times as long) is given up; then no
    other of the store follows.
    """
    visit = Visit(subject, fix)
    found: list[Check] = []
    for check_id, check in ALWAYS:
        found += _isolated(check_id, check, visit, deadline_seconds)
    for check_id, check in IN_STORE:
        if visit.store is not None:
            found += _isolated(check_id, check, visit, 4 * deadline_seconds)
    for check_id, check in AT_LAST:
        found += _isolated(check_id, check, visit, deadline_seconds)
    if visit.store is not None:
        visit.store.catalog.close()
    return Diagnosis(tuple(found))


def _isolated(
    check_id: str, check: CheckFunction, visit: Visit, deadline_seconds: float
) -> list[Check]:
    """What a check says, whatever happens to it. Lets go of a store that does not answer."""
    said: list[Check] = []

    def work() -> None:
        try:
            said.extend(check(visit))
        except DatacatError as error:
            # A place without listings is read all the same.
            say = note if error.kind == "not_listed" else fail
            said.append(say(check_id, error.message, advice(error)))
        except OSError as error:
            said.append(fail(check_id, f"{error.filename or check_id}: {error.strerror or error}"))
        except Exception as error:  # noqa: BLE001 - the outermost handler of this thread
            summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            said.append(fail(check_id, f"unexpected {summary} (a bug in datacat)"))

    # A daemon: a call to a drive that is away may never return, and must not keep us from ending.
    thread = threading.Thread(target=work, name=f"doctor-{check_id}", daemon=True)
    thread.start()
    thread.join(deadline_seconds)
    if not thread.is_alive():
        return said
    visit.store = None
    late = fail(
        check_id,
        f"{check_id}: no answer within {deadline_seconds:g} s ({visit.subject.url})",
        "Is the drive mounted, and its server up? Nothing else of the store was looked at.",
    )
    return [*said, late]
