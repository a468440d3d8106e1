"""Somebody whose `datacat` commands are killed at an exact step, or after some time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.forked import Ended, Order, run


class Killable:
    """The person of `home`, who is the user `login` of the machine if that is given."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] | None = None,
        *,
        login: str | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._login = login
        self._environment = {
            "PATH": os.defpath,
            "HOME": str(home),
            "TMPDIR": str(home),
            "DATACAT_USER": home.name,
            **(environment or {}),
        }

    def order(self, arguments: Sequence[str]) -> Order:
        """`datacat arguments`, as this person gives it."""
        return Order(
            arguments=arguments,
            folder=str(self.home),
            environment=self._environment,
            login=self._login,
            counting=True,
        )

    def run(
        self,
        *arguments: str,
        at_step: int = 0,
        after_seconds: float | None = None,
        umask: int = 0o022,
        code: int | None = None,
    ) -> Ended:
        """Run `datacat arguments`; kill it before its step number `at_step`, or after a time."""
        order = replace(
            self.order(arguments), umask=umask, at_step=at_step, after_seconds=after_seconds
        )
        ended = run(order)
        assert code is None or ended.code == code, (arguments, ended)
        return ended
