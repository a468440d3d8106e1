"""A client: real code in a thread of its own that stops at every call to shared storage.

A client is a function from the replies it has had to the next call it makes: `Process` runs a
script, feeds it the replies of a `history` that is known already, and then hands over call after
call. Two runs with the same history must make the same calls; a difference is an error.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from datacat.backend import Backend
from datacat.backend.retry import RetryingBackend
from datacat.errors import DatacatError
from tests.faults.interleaving import facts
from tests.faults.interleaving.calls import Call, Reply
from tests.faults.interleaving.wire import Killed, Wire
from tests.faults.interleaving.world import EPOCH_SECONDS, World, moment

SLEEP_SECONDS_MIN = 7
"""A client that waits loses at least this long: so it reaches its deadline in a few rounds."""

NOWHERE = Path("/nonexistent")
"""The local folder of a client that has none."""

_running = threading.local()


class NotDeterministicError(AssertionError):
    """A client did something else with the same replies: the simulator could not be believed."""


@dataclass(frozen=True)
class Actor:
    """Somebody who takes part: what they do, and how wrong their clock is."""

    name: str
    script: Callable[[Desk], None]
    skew_seconds: int = 0
    like: str | None = None
    """Shares the local folder of this actor: a second process of the same person."""


class Desk:
    """What a script works with: storage, clock, random ids, a local folder, and a user to tell."""

    def __init__(self, actor: Actor, folder: Path, ask: Callable[[Call], Reply]) -> None:
        self.actor = actor
        self.folder = folder
        self.elapsed_seconds = 0
        self._ask = ask
        self._ids = itertools.count(1)
        self.tokens = itertools.count(1)
        self.wire = Wire(self.ask)
        self.backend: Backend = RetryingBackend(self.wire, sleep=lambda _: None, random=lambda: 0.5)

    def ask(self, call: Call) -> Reply:
        reply = self._ask(call)
        self.elapsed_seconds += reply.seconds
        return reply

    def now(self) -> datetime:
        """What this client's clock says, which may be wrong."""
        return moment(EPOCH_SECONDS + self.elapsed_seconds + self.actor.skew_seconds)

    def new_id(self) -> str:
        """32 hex digits that nobody else gets; the first tell whose they are."""
        return f"{self.actor.name.encode().hex():0<20.20}{next(self._ids):012x}"

    def tell(self, fact: object) -> None:
        """Say something to the user of this client, who will count on it."""
        if self.ask(Call("tell", fact=fact)).kind == "death":
            raise Killed

    def sleep(self, seconds: float) -> None:
        self.elapsed_seconds += max(SLEEP_SECONDS_MIN, round(seconds))


class Process:
    """One run of a script. `call` is what it waits for, None when it has ended; `broken` says that
    it ended with an error that is none of ours, `error` that it cannot be simulated."""

    def __init__(
        self, actor: Actor, folder: Path, history: Sequence[tuple[Call, Reply]] = ()
    ) -> None:
        self.call: Call | None = None
        self.error: NotDeterministicError | None = None
        self.broken: facts.Broken | None = None
        self._history = list(history)
        self._reply: Reply | None = None
        self._mine, self._theirs = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._theirs.acquire()
        self._desk = Desk(actor, folder, self._asked)
        self._thread = threading.Thread(target=self._run, args=(actor.script,), daemon=True)
        self._thread.start()
        self._stopped()

    def answer(self, reply: Reply) -> None:
        """Let the client go on with this reply, up to its next call or its end."""
        self._reply = reply
        self._mine.release()
        self._stopped()

    def kill(self) -> None:
        """End it where it is; what its handlers do locally they do, storage hears no more."""
        if self.call is not None:
            self.answer(Reply("death"))

    def _stopped(self) -> None:
        """Wait until the client stops at its next call, or ends."""
        self._theirs.acquire()
        if self.call is None:
            self._thread.join()
            if self.error is not None:
                raise self.error

    def _run(self, script: Callable[[Desk], None]) -> None:
        _running.desk = self._desk
        try:
            script(self._desk)
        except (Killed, DatacatError):
            pass  # an error of ours is how a command may end
        except NotDeterministicError as error:
            self.error = error
        except BaseException as error:  # noqa: BLE001 - the oracle is told
            self.broken = facts.Broken("".join(traceback.format_exception(error, limit=-3)))
        self.call = None
        self._theirs.release()

    def _asked(self, call: Call) -> Reply:
        if getattr(_running, "desk", None) is not self._desk:
            raise NotDeterministicError(f"{call} in a thread of its own")
        if self._reply is not None and self._reply.kind == "death":
            return self._reply
        if self._history:
            before, reply = self._history.pop(0)
            if (call.verb, call.key) != (before.verb, before.key):
                raise NotDeterministicError(f"{call}, where there was {before} before")
            return reply
        self.call = call
        self._theirs.release()
        self._mine.acquire()
        assert self._reply is not None
        return self._reply


def undisturbed(world: World, actor: Actor, folder: Path = NOWHERE) -> tuple[object, ...]:
    """Let a client work alone, without any fault; what it told its user."""
    process = Process(actor, folder)
    told = []
    while (call := process.call) is not None:
        told += [call.fact] if call.verb == "tell" else []
        process.answer(world.answer(call))
    assert process.broken is None, process.broken
    return tuple(told)


def token_hex(count: int = 32) -> str:
    """Stands for `secrets.token_hex`: the same for the same client, and nobody else's."""
    desk = getattr(_running, "desk", None)
    if desk is None:
        return os.urandom(count).hex()
    text = f"{desk.actor.name} {next(desk.tokens)}"
    return hashlib.shake_128(text.encode()).hexdigest(count)


def current() -> Desk:
    """The desk of the client whose code runs in this thread."""
    desk = _running.desk
    assert isinstance(desk, Desk)
    return desk
