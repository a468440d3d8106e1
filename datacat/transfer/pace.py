"""Whether help is worth it, found out by trying: it is where a core is free, or the drive slow."""

from __future__ import annotations

TRIAL_BYTES = 8 * 1024 * 1024
"""So much of each way is measured."""

SETTLED_BYTES = 4 * 1024 * 1024
"""After a change the first bytes are those that the other way had begun."""

CHOSEN_BYTES = 256 * 1024 * 1024
"""How long the better way is taken before both are tried again: others come and go."""


class Pace:
    """Which of two ways to read is the faster one: alone, or with the help of other threads.

    `helped` says how to read on. Whoever reads says by `took` how long it was. What counts is the
    median: once in a while a read waits for the processor, whichever way it is done.
    """

    def __init__(self) -> None:
        self.helped = False
        self._rates: dict[bool, list[float]] = {False: [], True: []}
        self._trying = True
        self._done = 0

    def took(self, count: int, seconds: float) -> None:
        """`count` bytes were read as `helped` says, in so many seconds."""
        self._done += count
        if not self._trying:
            if self._done >= CHOSEN_BYTES:
                self._rates = {False: [], True: []}
                self._turn(helped=False, trying=True)
            return
        if self._done > SETTLED_BYTES:
            self._rates[self.helped].append(seconds / count)
        if self._done < SETTLED_BYTES + TRIAL_BYTES:
            return
        if not self.helped:
            self._turn(helped=True, trying=True)
        else:
            alone, helped = (sorted(self._rates[way]) for way in (False, True))
            better = helped[len(helped) // 2] < alone[len(alone) // 2]
            self._turn(helped=better, trying=False)

    def _turn(self, *, helped: bool, trying: bool) -> None:
        self.helped, self._trying, self._done = helped, trying, 0
