"""The one question of `add`: what to do with a folder that the team nearly has."""

from __future__ import annotations

from datacat.cli.invocation import Invocation, Work
from datacat.model import SaveAs, SimilarFound


class SimilarQuestion:
    """Asks on a terminal. `was_asked` tells if it came to that."""

    def __init__(self, run: Invocation, work: Work) -> None:
        self._run = run
        self._work = work
        self.was_asked = False

    def decide(self, found: SimilarFound) -> SaveAs:
        """Show what is alike and what differs, and return what the person chose.

        The end of input is an answer, too: nothing.
        """
        from datacat.render import similar as said
        from datacat.render.status import change_line

        self.was_asked = True
        screen = self._run.screen
        answers = {
            said.NEXT: SaveAs.NEXT_VERSION,
            said.SEPARATE: SaveAs.SEPARATE,
            said.NOTHING: SaveAs.NOTHING,
        }
        usual = said.usual(found)
        self._work.pause()
        screen.ask(said.question(found, screen=screen))
        while True:
            typed = self._run.ask(f"Choose [{usual}]: ")
            if typed is None:
                screen.ask([""])
                return SaveAs.NOTHING
            answer = typed.lower() or usual
            if answer in answers:
                return answers[answer]
            if answer == said.LIST:
                screen.ask(f"  {change_line(change)}" for change in found.differences())
            else:
                screen.ask([f"Type {said.NEXT}, {said.SEPARATE}, {said.LIST} or {said.NOTHING}."])
