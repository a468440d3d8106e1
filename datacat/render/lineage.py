"""What `lineage` shows: a tree of what came from what, with what is odd about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from datacat.model import Edge, Lineage, LineageWarning, WarningKind
from datacat.render.add import code_text, pairs_text
from datacat.render.table import Column, print_table, shorten
from datacat.render.terminal import Screen
from datacat.text import cell_width, human_age, printable, rfc3339

CHILDREN_SHOWN = 20
"""A popular dataset has thousands of outputs: the newest tell enough."""
LINES_SHOWN = 200
"""More than this on a terminal is no picture any more."""

GAP = "   "


def print_lineage(screen: Screen, lineage: Lineage) -> None:
    """The tree on a terminal; in a pipe a line for each edge. `-v` leaves nothing out."""
    if screen.answer_tty:
        screen.answers_of(_page(screen, lineage))
    else:
        print_table(screen, _plain_columns(lineage), _links(lineage))


def _page(screen: Screen, lineage: Lineage) -> Iterator[str]:
    version = lineage.nodes[lineage.ref]
    facts = [_who(screen, lineage, lineage.ref)]
    facts += [pairs_text(values) for values in (version.metrics, version.params) if values]
    room = screen.width - cell_width(version.ref) - len(GAP)
    yield screen.strong(version.ref) + GAP + shorten(GAP.join(facts), room)
    branches: list[tuple[str, list[_Line]]] = []
    if lineage.up:
        branches.append(("made from", _Tree(screen, lineage, upwards=True).lines()))
    if version.code:
        branches.append((f"code  {code_text(version.code)}", []))
    if lineage.down:
        branches.append(("used by", _Tree(screen, lineage, upwards=False).lines()))
    for number, (title, lines) in enumerate(branches):
        last = number == len(branches) - 1
        yield f"{'└' if last else '├'} {title}"
        stem = "   " if last else "│  "
        yield from (stem + text for text in _aligned(lines))


def _who(screen: Screen, lineage: Lineage, ref: str) -> str:
    version = lineage.nodes[ref]
    return f"{printable(version.author)}, {human_age(version.created_at, screen.now)}"


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a tree: the branches and the name, who made it when, and what is odd."""

    name: str
    who: str = ""
    mark: str = ""


def _aligned(lines: Sequence[_Line]) -> Iterator[str]:
    names = max((cell_width(line.name) for line in lines), default=0)
    whos = max((cell_width(line.who) for line in lines if line.mark), default=0)
    for line in lines:
        text = line.name
        if line.who:
            text += " " * (names - cell_width(line.name)) + GAP + line.who
        if line.mark:
            text += " " * (whos - cell_width(line.who)) + GAP + line.mark
        yield text


@dataclass
class _Tree:
    """One direction. Each version is unfolded once, where it is nearest to the root."""

    screen: Screen
    lineage: Lineage
    upwards: bool
    _children: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _unfolds: dict[str, str] = field(default_factory=dict)
    _above: set[str] = field(default_factory=set)
    _warnings: dict[str, list[LineageWarning]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> list[_Line]:
        """The lines below the title of this direction."""
        for edge in self.lineage.up if self.upwards else self.lineage.down:
            near, far = (edge.result, edge.source) if self.upwards else (edge.source, edge.result)
            self._children[near].append(far)
            self._unfolds.setdefault(far, near)
        for warning in self.lineage.warnings:
            self._warnings[warning.ref].append(warning)
        found: list[_Line] = []
        # Not by recursion: a chain may be a thousand generations long.
        pending = [iter(self._level(self.lineage.ref, ""))]
        while pending:
            step = next(pending[-1], None)
            if step is None:
                pending.pop()
                continue
            line, ref, stem = step
            if len(found) == LINES_SHOWN and not self.screen.verbose:
                left = len(self._unfolds) - len(self._above) + (ref is not None)
                found.append(_Line(f"… {left:,} more versions; all of them with -v"))
                break
            found.append(line)
            if ref is not None:
                pending.append(iter(self._level(ref, stem)))
        return found

    def _level(self, parent: str, stem: str) -> Iterator[tuple[_Line, str | None, str]]:
        """The lines of what hangs on `parent`, each with what to unfold below it."""
        children = self._children[parent]
        shown = children if self.screen.verbose else children[:CHILDREN_SHOWN]
        more = len(children) - len(shown)
        for number, ref in enumerate(shown):
            last = number == len(shown) - 1 and not more
            name = f"{stem}{'└' if last else '├'} {ref}"
            unfold = self._unfolds[ref] == parent
            if unfold:
                line = _Line(name, _who(self.screen, self.lineage, ref), self._mark(ref))
                self._above.add(ref)
            else:
                line = _Line(name, "…" if self._children[ref] else "", self._mark(ref))
            yield line, ref if unfold else None, stem + ("   " if last else "│  ")
        if more:
            yield _Line(f"{stem}└ … {more:,} more"), None, stem

    def _mark(self, ref: str) -> str:
        said = [text for warning in self._warnings[ref] if (text := self._said(warning))]
        return f"! {'; '.join(said)}" if said else ""

    def _said(self, warning: LineageWarning) -> str | None:
        nodes = self.lineage.nodes
        if warning.kind is WarningKind.TRASHED:
            return "in the trash"
        if warning.kind is WarningKind.GONE:
            return "gone for good"
        if warning.about is None or not self.upwards:
            return None
        if warning.kind is WarningKind.NEWER_VERSION:
            return f"{warning.about.partition('@')[2]} is newer"
        if warning.about not in self._above:
            return None
        own, other = nodes[warning.ref], nodes[warning.about]
        age = "an older" if own.number < other.number else "a newer"
        return f"{age} {own.name} than above"


@dataclass(frozen=True, slots=True)
class _Link:
    """An edge with its direction as seen from the root, and the end that lies farther away."""

    direction: str
    edge: Edge
    far: str


def _links(lineage: Lineage) -> Iterator[_Link]:
    yield from (_Link("up", edge, edge.source) for edge in lineage.up)
    yield from (_Link("down", edge, edge.result) for edge in lineage.down)


def _plain_columns(lineage: Lineage) -> list[Column[_Link]]:
    warnings: dict[str, list[str]] = defaultdict(list)
    for warning in lineage.warnings:
        about = f" {warning.about}" if warning.about else ""
        warnings[warning.ref].append(warning.kind.value + about)
    nodes = lineage.nodes
    return [
        Column("DIRECTION", lambda link: link.direction),
        Column("FROM", lambda link: link.edge.source),
        Column("TO", lambda link: link.edge.result),
        Column("BY", lambda link: nodes[link.far].author),
        Column("AT", lambda link: rfc3339(nodes[link.far].created_at)),
        Column("WARNINGS", lambda link: ", ".join(warnings[link.far])),
    ]


def remarks(lineage: Lineage, *, up: bool, down: bool, depth: int | None) -> Iterator[str]:
    """What is said below the tree: that there is nothing to be seen, or that there is more."""
    if not (lineage.up or lineage.down):
        if up:
            yield f"What {lineage.ref} was made from is not recorded  (datacat add --from does it)."
        if down:
            yield f"Nothing was made from {lineage.ref}."
    if lineage.cut:
        yield f"There is more beyond {'--depth' if depth else 'the nearest, which are shown'}."
