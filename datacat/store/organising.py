"""The verbs that change names and facts, and those that follow where things came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from datacat import refs
from datacat.model import AliasChange, AliasInfo, Better, EditResult, Lineage, RenameResult, Scalar
from datacat.model.display import Rows
from datacat.organise.alias import remove_alias, set_alias
from datacat.organise.edit import EditRequest, edit
from datacat.organise.lineage import trace
from datacat.organise.rename import rename
from datacat.store.handle import Handle, directions
from datacat.working_copy.shown import with_users


class Organising(Handle):
    """Aliases, descriptions, tags, owners, messages and new names. Content never changes."""

    def alias(self, ref: str, alias: str) -> AliasChange:
        """Point `alias` at the version that `ref` means; without a version the newest.

        Raises `InvalidInput` for a word that cannot be an alias, `NotFound`.

        >>> change = store.alias("cmr@v1", "gold")
        >>> change.ref, change.previous
        ('cmr@v1', None)
        >>> store.show("cmr@gold").version.ref
        'cmr@v1'
        """
        return set_alias(self._opened, ref, alias)

    def unalias(self, ref: str) -> AliasChange:
        """Take an alias away, given as `cmr@gold`. Raises `NotFound`.

        >>> _ = store.alias("cmr@v1", "gold")
        >>> store.unalias("cmr@gold").previous.ref
        'cmr@v1'
        """
        return remove_alias(self._opened, ref)

    def aliases(self, name: str) -> list[AliasInfo]:
        """The aliases of a dataset. Raises `NotFound`.

        >>> _ = store.alias("cmr@v1", "gold")
        >>> [(alias.alias, alias.ref, alias.set_by) for alias in store.aliases("cmr")]
        [('gold', 'cmr@v1', 'alice')]
        """
        return Rows(self._query().aliases(refs.parse_name(name, command="datacat alias")))

    def edit(
        self,
        ref: str,
        *,
        description: str | None = None,
        owner: str | None = None,
        tags: Sequence[str] = (),
        untags: Sequence[str] = (),
        message: str | None = None,
        params: Mapping[str, Scalar] | None = None,
        metrics: Mapping[str, Scalar] | None = None,
        better: Mapping[str, Better | str] | None = None,
        force: bool = False,
    ) -> EditResult:
        """Change what is said of a dataset (`description`, `owner`, `tags`, `untags`) or of one
        version (`message`, `params`, `metrics`, in which None takes a value away). `better` says
        whether small (`min`) or large (`max`) values of a metric are good, in every version.

        Only its owner or author does that without `force`. Raises `InvalidInput`, `NotFound`,
        `Refused`.

        >>> result = store.edit("cmr", tags=["cardiac"], owner="dana", force=True)
        >>> result.dataset.owner, result.dataset.tags
        ('dana', ('cardiac',))
        >>> store.edit("cmr@v1", metrics={"dice": 0.91}).version.metrics
        {'dice': 0.91}
        """
        request = EditRequest(
            ref=ref,
            description=description,
            owner=owner,
            tags=tuple(tags),
            untags=tuple(untags),
            message=message,
            params=dict(params or {}),
            metrics=dict(metrics or {}),
            better=directions(better),
            force=force,
        )
        result = edit(self._opened, request)
        (dataset,) = with_users(self._opened, self._query(), [result.dataset])
        return replace(result, dataset=dataset)

    def rename(self, old: str, new: str, *, force: bool = False) -> RenameResult:
        """Call a dataset `new` from now on; its old names keep finding it.

        Only its owner or maker does that without `force`. Raises `InvalidInput`, `NotFound`,
        `Refused` when another dataset has or had the name.

        >>> result = store.rename("cmr", "cmr-ukb")
        >>> result.new, store.show("cmr@v1").version.ref
        ('cmr-ukb', 'cmr-ukb@v1')
        """
        return rename(self._opened, old, new, force=force)

    def lineage(
        self, ref: str, *, up: bool = True, down: bool = True, depth: int | None = None
    ) -> Lineage:
        """What a version was made from and what was made from it, with what is odd about that.

        `depth` generations in each direction, by default all of them. Raises `NotFound`.

        >>> _ = Path("cmr/labels.csv").rename("labels.csv")
        >>> _ = store.add("labels.csv", name="labels", sources=["cmr@v1"])
        >>> found = store.lineage("labels")
        >>> [(edge.source, edge.result) for edge in found.up], found.warnings
        ([('cmr@v1', 'labels@v1')], ())
        """
        return trace(self._query(), ref, up=up, down=down, depth=depth)
