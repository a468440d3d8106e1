"""One run of one command: what was given, and what is made from it when it is first needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from datacat.cli.interrupt import Interrupts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from datacat.config import Settings, Surroundings
    from datacat.model import FileInfo
    from datacat.progress import Listener, StopSignal
    from datacat.render.terminal import Screen
    from datacat.store import Store


@dataclass
class Globals:
    """The global options, as far as the command line has been read."""

    store: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    jobs: str | None = None
    no_input: bool = False
    color: str | None = None
    no_config: bool = False
    debug: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What a long call of the library is given: where its events go, and when to stop.

    `pause` takes the progress off the screen until there is more of it, so that one can ask.
    """

    listener: Listener
    stop: StopSignal
    pause: Callable[[], None]


class Invocation:
    """Passed to every command. Settings, screen and store are made once, when asked for."""

    def __init__(self) -> None:
        self.given = Globals()
        self.interrupts = Interrupts()
        self._store: Store | None = None

    @cached_property
    def surroundings(self) -> Surroundings:
        from datacat.config import surroundings

        return surroundings()

    @cached_property
    def settings(self) -> Settings:
        """The settings in force; says once what is odd about the files."""
        from datacat.config import gather

        given = self.given
        flags: dict[str, object] = {
            "store": given.store,
            "jobs": given.jobs,
            "format": "json" if given.json else None,
            "colour": given.color,
            "prompts": False if given.no_input else None,
            "debug": True if given.debug else None,
        }
        settings = gather(self.surroundings, flags=flags, files=not given.no_config)
        if not given.quiet:
            from datacat.text import printable

            for warning in settings.warnings:
                sys.stderr.write(f"warning: {printable(warning)}\n")
        return settings

    @cached_property
    def screen(self) -> Screen:
        from datacat.render.terminal import make_screen

        return make_screen(
            sys.stdout,
            sys.stderr,
            colour=self.settings.colour,
            home=str(self.surroundings.home),
            json=self.given.json,
            quiet=self.given.quiet,
            verbose=self.given.verbose,
        )

    @property
    def words_file(self) -> Path:
        """Where completion finds the words of this store."""
        from datacat.cli.known import file_of

        return file_of(self.settings.cache_dir, self.settings.store)

    def noting(self, ref: str, files: Iterable[FileInfo]) -> Iterator[FileInfo]:
        """`files` of the version `ref`, which completion then knows too."""
        from datacat.cli.known import exact, noting

        def version() -> str | None:
            words = self.store.words()
            return None if words is None else exact(words, ref)

        return noting(self.words_file, version, files)

    @property
    def store(self) -> Store:
        """The store, opened at the first use."""
        if self._store is None:
            from datacat.config import PERSONAL_NOTICE
            from datacat.front import open_with

            if self.settings.personal and not self.given.quiet:
                sys.stderr.write(PERSONAL_NOTICE + "\n")
            self._store = open_with(self.settings)
            self.interrupts.also(self._store.interrupt)
        return self._store

    @contextmanager
    def other_store(self, place: str, options: Sequence[str]) -> Iterator[Store]:
        """Another store than the one that is configured, open within the block.

        `options`, each `KEY=VALUE`, stand for those of the settings.
        """
        from datacat.cli.arguments import parse_options
        from datacat.cli.place import absolute
        from datacat.front import make_client
        from datacat.store import Store

        given = parse_options(options) if options else self.settings.store_options
        url = absolute(place, home=str(self.surroundings.home))
        with Store.open(url, client=make_client(self.settings), options=given) as store:
            self.interrupts.also(store.interrupt)
            yield store

    def close(self) -> None:
        """Release what was opened, and leave behind what completion should know."""
        if self._store is not None:
            from datacat.cli.known import remember, seq_in

            file = self.words_file
            words = self._store.words(newer_than=seq_in(file))
            if words is not None:
                remember(file, words)
            self._store.close()
            self._store = None

    @property
    def can_ask(self) -> bool:
        """True when a person can be asked: both ends are terminals and nothing forbids it."""
        from datacat.render.terminal import is_tty

        may = self.settings.prompts and not self.given.json
        return may and is_tty(sys.stdin) and is_tty(sys.stderr)

    def ask(self, question: str) -> str | None:
        """One line typed by the person, None at the end of input."""
        from datacat.text import printable

        sys.stderr.write(printable(question))
        sys.stderr.flush()
        with self.interrupts.at_once():
            line = sys.stdin.readline()
        return line.strip() if line else None

    @contextmanager
    def work(self, *, text: str | None = None) -> Iterator[Work]:
        """Around a long call: draws progress, and turns Ctrl-C into an orderly stop.

        `text` is what Ctrl-C says; by default that nothing was saved.
        """
        from datacat.cli.interrupt import STOPPING
        from datacat.render.progress import ProgressLine

        in_notebook = bool(self.surroundings.environment.get("JPY_PARENT_PID"))
        with (
            self.interrupts.orderly(text or STOPPING) as stop,
            ProgressLine(self.screen, enabled=not in_notebook) as line,
        ):
            yield Work(listener=line.listen, stop=stop, pause=line.pause)
