"""Checks of a place behind a network: what we may do there, what would eat it, how fast it is."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

from datacat import layout
from datacat.backend import Backend
from datacat.errors import StorageDenied
from datacat.maintenance.doctor.visit import (
    Checks,
    Visit,
    advice,
    fail,
    fine,
    note,
    probe,
    probe_key,
)
from datacat.text import printable

ASKED = 5
"""Requests whose median is the latency."""

MEASURED_BYTES = 4 * 1024 * 1024
"""Enough to see a throughput, and not so much that anybody waits for it."""


def permissions(visit: Visit) -> Checks:
    """What we may do there, one permission after the other."""
    if not visit.is_away:
        return
    backend, key = visit.opened.backend, probe_key(visit.opened.backend)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("read", lambda: backend.read(layout.STORE, limit_bytes=1)),
        ("list", lambda: next(iter(backend.keys(layout.COPIES)), None)),
    ]
    if visit.can_write:
        steps += [
            ("create", lambda: backend.write(key, b"datacat doctor\n")),
            ("replace", lambda: backend.replace(key, b"datacat doctor, again\n")),
            ("delete", lambda: backend.delete(key)),
        ]
    allowed = []
    for verb, step in steps:
        try:
            step()
        except StorageDenied as error:
            needed = verb in ("read", "list") and error.kind != "not_listed"
            say = fail if needed else note
            yield say("permissions", f"you may not {verb}: {error.message}", advice(error))
        else:
            allowed.append(verb)
    visit.can_delete = "delete" in allowed
    yield fine("permissions", f"you may {', '.join(allowed) or 'do nothing'}")


def lifecycle(visit: Visit) -> Checks:
    """Whether a rule of the bucket would delete the store's files by their age, or move them."""
    if not visit.is_away:
        return
    rules = visit.opened.backend.aging_rules()
    if rules is None:
        return
    for rule in rules:
        yield fail(
            "lifecycle",
            f"the bucket's rule '{printable(rule.name)}' {printable(rule.does)} of this store",
            "take it away, or give it a prefix that leaves the store alone",
        )
    if not rules:
        yield fine("lifecycle", "no rule of the bucket deletes or moves files of this store")


def speed(visit: Visit) -> Checks:
    """How long a request takes, and how much goes through."""
    if not visit.is_away:
        return
    backend = visit.opened.backend
    latency = statistics.median(_seconds(lambda: backend.stat(layout.STORE)) for _ in range(ASKED))
    said = f"a request takes {max(1, round(latency * 1000))} ms"
    if visit.can_delete:  # else it would be left there
        said += f"; {_throughput(backend)}"
    yield fine("speed", said)


def _throughput(backend: Backend) -> str:
    with probe(backend) as small:
        key = small + "-speed"
        up = _seconds(lambda: backend.write(key, os.urandom(MEASURED_BYTES)))
        try:
            down = _seconds(lambda: backend.read(key))
        finally:
            backend.delete(key)
    return f"{MEASURED_BYTES / up / 1e6:.0f} MB/s up, {MEASURED_BYTES / down / 1e6:.0f} MB/s down"


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return max(time.perf_counter() - began, 1e-6)
