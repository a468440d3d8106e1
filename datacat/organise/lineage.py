"""What a version was made from, what was made from it, and what is odd about that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from datacat import refs
from datacat.catalog.ancestry import DEPTH_MAX, EDGES_MAX
from datacat.catalog.query import CatalogQuery
from datacat.errors import InvalidInput
from datacat.model import Edge, Lineage, LineageWarning, Version, WarningKind


def trace(
    query: CatalogQuery, ref: str, *, up: bool = True, down: bool = True, depth: int | None = None
) -> Lineage:
    """The lineage of the version that `ref` means, `depth` generations in each direction.

    Versions in the trash are part of it. Raises `NotFound`, `InvalidInput`.
    """
    if depth is not None and depth < 1:
        raise InvalidInput(f"a depth of {depth} shows nothing", kind="usage")
    version = query.resolve(refs.parse(ref))
    limit = min(depth or DEPTH_MAX, DEPTH_MAX)
    # One generation more than is shown tells whether there is more.
    above = query.ancestors(version, depth=limit + 1) if up else []
    below = query.descendants(version, depth=limit + 1) if down else []
    kept_above = _nearest(above, version.ref, limit, upwards=True)
    kept_below = _nearest(below, version.ref, limit, upwards=False)
    named = {version.ref, *_ends(kept_above), *_ends(kept_below)}
    nodes = query.versions_of(named)
    full = EDGES_MAX in (len(above), len(below))
    return Lineage(
        ref=version.ref,
        up=kept_above,
        down=kept_below,
        nodes=nodes,
        warnings=tuple(_warnings(query, version.ref, kept_above, kept_below, nodes)),
        cut=full or len(kept_above) < len(above) or len(kept_below) < len(below),
    )


def _nearest(edges: Sequence[Edge], ref: str, depth: int, *, upwards: bool) -> tuple[Edge, ...]:
    """Those of `edges`, which come by generation, that lie within `depth` of `ref`."""
    generation = {ref: 0}
    kept = []
    for edge in edges:
        near, far = (edge.result, edge.source) if upwards else (edge.source, edge.result)
        if generation[near] < depth:
            generation.setdefault(far, generation[near] + 1)
            kept.append(edge)
    return tuple(kept)


def _ends(edges: Iterable[Edge]) -> Iterator[str]:
    for edge in edges:
        yield edge.source
        yield edge.result


def _warnings(
    query: CatalogQuery,
    ref: str,
    up: Sequence[Edge],
    down: Sequence[Edge],
    nodes: Mapping[str, Version],
) -> Iterator[LineageWarning]:
    ancestors = dict.fromkeys(edge.source for edge in up)
    newest = query.newest_of({nodes[one].name for one in ancestors})
    gone = query.gone_among(list(nodes.values()))
    mixed = _mixed(up, nodes)
    for one in ancestors:
        version = nodes[one]
        for other in mixed.get(one, ()):
            yield LineageWarning(WarningKind.TWO_VERSIONS, one, other)
        latest = newest.get(version.name)
        if latest is not None and nodes[one].number < (refs.parse(latest).number or 0):
            yield LineageWarning(WarningKind.NEWER_VERSION, one, latest)
    for one in dict.fromkeys((*ancestors, *_ends(down))):
        if one in gone:
            yield LineageWarning(WarningKind.GONE, one)
        elif one != ref and nodes[one].trashed_at is not None:
            yield LineageWarning(WarningKind.TRASHED, one)


def _mixed(up: Sequence[Edge], nodes: Mapping[str, Version]) -> dict[str, list[str]]:
    """For each ancestor that went in besides another version of its dataset, those others.

    A version that was made from an older one of its own dataset continues it and mixes nothing:
    only what other datasets were made from counts.
    """
    used: dict[str, list[str]] = defaultdict(list)
    for edge in up:
        name = nodes[edge.source].name
        if nodes[edge.result].name != name and edge.source not in used[name]:
            used[name].append(edge.source)
    return {
        one: [other for other in found if other != one]
        for found in used.values()
        if len(found) > 1
        for one in found
    }
