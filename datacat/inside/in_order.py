"""Who reads small files one after the other finds the next ones already in memory.

A loader of several processes gives each of them some files in a row, then skips those of the
others. So as many are brought at once as were read in a row before.
"""

from __future__ import annotations

IN_A_ROW_MIN = 4
"""Fewer files that follow each other may be chance: what was brought for them is not wanted."""

TOGETHER_MAX = 64
"""So many files are brought at once: a read of some hundred KiB takes next to no time."""


class InOrder:
    """What is known of the order in which one version's files are read.

    Threads that read different files disturb each other here, which costs speed and nothing else.
    """

    def __init__(self) -> None:
        self._last = -2
        self._row = 0
        self._before = 0

    def reads(self, number: int) -> None:
        """The file at this place of the order of paths is read."""
        if number == self._last + 1:
            self._row += 1
        elif number != self._last:
            self._before, self._row = self._row, 1
        self._last = number

    def worth_bringing(self) -> int:
        """How many files, from the one that is read on, to bring with it; 1 for it alone."""
        expected = max(self._row - 1, self._before)
        return min(expected, TOGETHER_MAX) if expected >= IN_A_ROW_MIN else 1
