"""What to do with a folder that is nearly a version of something: asked once, and acted upon."""

from __future__ import annotations

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.model import Relation, SaveAs, Similar, SimilarFound, Version
from datacat.working_copy.request import Decide
from datacat.working_copy.similarity import Similarity
from datacat.working_copy.target import Target, find_target


class DeclinedError(Exception):
    """The answer was to do nothing. `version` is what the folder is nearly the same as."""

    def __init__(self, version: Version) -> None:
        super().__init__(version.ref)
        self.version = version


class Question:
    """The question about one folder. It is asked when `settle` is first called."""

    def __init__(
        self,
        similarity: Similarity,
        query: CatalogQuery,
        *,
        place: str,
        stem: str,
        decide: Decide | None,
    ) -> None:
        self._similarity = similarity
        self._query = query
        self._place = place
        self._stem = stem
        self._decide = decide
        self._settled = False

    def settle(self, target: Target) -> Target:
        """Where the folder goes: `target`, a dataset of its own, or the one that it is nearly a
        version of, if that is the answer. Raises `DeclinedError`, and what `decide` raises."""
        if self._settled:
            return target
        self._settled = True
        found, best = self._similarity.found, self._similarity.best
        if self._decide is None or best is None or not _is_questionable(found[0]):
            return target
        newest = self._query.newest(best.name) or best
        answer = self._decide(
            SimilarFound(
                path=self._place,
                similar=found,
                newest=newest.ref,
                next_version=refs.version_ref(best.name, self._query.next_number(best.name)),
                separate=refs.version_ref(target.name, 1),
                differences=self._similarity.differences,
            )
        )
        if answer is SaveAs.NOTHING:
            raise DeclinedError(best)
        if answer is SaveAs.SEPARATE:
            return target
        return find_target(self._query, stem=self._stem, name=best.name, marked=None)


def _is_questionable(similar: Similar) -> bool:
    """Not what is exactly a version: nothing will be saved then."""
    differing = similar.added + similar.modified + similar.removed + similar.renamed
    return similar.relation is Relation.NEAR and differing > 0


def asked_once(decide: Decide | None) -> Decide | None:
    """`decide`, which keeps its answer about one version: an add that starts over asks no more."""
    if decide is None:
        return None
    answers: dict[str, SaveAs] = {}

    def remembered(found: SimilarFound) -> SaveAs:
        ref = found.similar[0].ref
        if ref not in answers:
            answers[ref] = decide(found)
        return answers[ref]

    return remembered
