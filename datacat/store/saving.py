"""The verbs that move data: `add` and `pull`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datacat import refs
from datacat.errors import Refused
from datacat.model import AddResult, Better, Code, Layout, LinkMode, PullResult, Scalar
from datacat.progress import Listener, StopSignal, ignore
from datacat.store.handle import Handle, PathLike, directions, watching
from datacat.working_copy.registering import LINKS

if TYPE_CHECKING:  # the rooms behind the verbs are large: each loads its own
    from datacat.working_copy.naming import Word
    from datacat.working_copy.request import Decide


class Saving(Handle):
    """Saving folders as versions, and getting them back."""

    def add(
        self,
        path: PathLike,
        *,
        name: str | None = None,
        message: str = "",
        tags: Sequence[str] = (),
        description: str | None = None,
        alias: str | None = None,
        sources: Sequence[Word] = (),
        params: Mapping[str, Scalar] | None = None,
        metrics: Mapping[str, Scalar] | None = None,
        better: Mapping[str, Better | str] | None = None,
        code: Code | None = None,
        new: bool = False,
        new_version: bool = False,
        only_here: bool = False,
        force: bool = False,
        dry_run: bool = False,
        layout: Layout | None = None,
        decide: Decide | None = None,
        executor: Executor | str | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> AddResult:
        """Save a folder or file as the next version of a dataset.

        `path` may also be a URL (`s3://bucket/folder`, `https://host/file`, `sftp://…`, `hf://…`,
        any that fsspec knows): the bytes stream from there, and what is unchanged since it was
        added last is not read again. `added_from` of the version is that URL, without what may be
        secret in it.

        The name is, in this order: `name`, that of the working copy, that of the folder. Content
        that the team has already is not saved again (`created` is False) unless `new` (under a
        name of its own) or `new_version` says so. `sources` are references or pulled folders;
        `better` says whether small (`min`) or large (`max`) values of a metric are good;
        `only_here` lets a partial copy remove what was not pulled, `force` saves although someone
        saved a newer version, `dry_run` only looks. `layout` says how the files are kept that are
        not small, if not as the store does it.

        `executor` has large amounts read, compressed and uploaded elsewhere: `dask://HOST:8786`, or
        any `concurrent.futures.Executor` whose workers are other processes that can reach the files
        and the store. The version is the same. Without it the setting `executor` decides.

        A folder that would make a new dataset is compared with all that the team has; `similar` of
        the result are the versions that it shares most of its content with. When it is nearly one
        of them, `decide` is called with a `SimilarFound` before anything is stored, and says
        whether to save it as the next version of that, as a separate dataset (as without `decide`)
        or not at all. `new` does not look.

        Raises `Failed` (unreadable or changing files), `InvalidInput` (names), `NotFound`
        (sources), `Conflict` (someone saved meanwhile), `StorageError`, `OutcomeUnknown`.

        >>> result = store.add("cmr")
        >>> result.created, result.version.ref
        (False, 'cmr@v1')
        >>> _ = Path("cmr/labels.csv").write_text("id,v\\n1,3\\n")
        >>> result = store.add("cmr", message="fix a label", metrics={"dice": 0.91})
        >>> result.created, result.version.ref, result.version.changes
        (True, 'cmr@v2', Changes(added=0, modified=1, removed=0))
        """
        from datacat.providers import is_provider, open_provider
        from datacat.transfer.cluster import connected
        from datacat.transfer.provider_files import close_provider
        from datacat.working_copy.request import SaveRequest
        from datacat.working_copy.save import save

        provider = open_provider(path) if isinstance(path, str) and is_provider(path) else None
        request = SaveRequest(
            path=Path(path) if provider is None else provider,
            name=name,
            message=message,
            tags=tuple(refs.check_tag(tag) for tag in tags),
            description=description,
            alias=refs.check_alias(alias) if alias else None,
            sources=tuple(sources),
            params=dict(params or {}),
            metrics=dict(metrics or {}),
            better=directions(better),
            code=code,
            new=new,
            new_version=new_version,
            only_here=only_here,
            force=force,
            dry_run=dry_run,
            layout=layout,
            ignore=self._ignore,
            similar=self._similar,
            decide=decide,
        )
        try:
            chosen = self._opened.client.executor if executor is None else executor
            with connected(chosen) as workers, self._opened.confirmed():
                request = replace(request, executor=workers)
                return save(self._opened, request, watching(listener, stop))
        finally:
            if provider is not None:
                close_provider(provider)

    def pull(
        self,
        ref: str,
        *,
        patterns: Sequence[str] = (),
        dest: PathLike | None = None,
        link: LinkMode | None = None,
        verify: bool = False,
        force: bool = False,
        dry_run: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> PullResult:
        """Bring a version to a folder, by default one named like the dataset.

        `patterns` (gitignore style) take a part of it. `link` is by default what the store was
        opened with, else the store's own setting. Local edits are never overwritten without
        `force`, which keeps them in `.datacat/backup`.

        Raises `NotFound`, `Refused`, `Corrupt` (damaged files are named, the others arrive),
        `StorageFull`.

        >>> result = store.pull("cmr@v1", patterns=["*.csv"], dest="labels")
        >>> result.ref, result.files, result.total_files, result.checked
        ('cmr@v1', 1, 2, True)
        >>> Path(result.path, "labels.csv").read_text()
        'id,v\\n1,2\\n'
        """
        from datacat.working_copy.checkout import pull
        from datacat.working_copy.request import PullRequest

        if link in LINKS and self._opened.local_path is None:
            raise Refused(
                f"{self.url} is not in this machine's file system, so nothing can be linked there",
                kind="no_links",
                commands=[f"datacat pull {ref} --link copy"],
            )
        request = PullRequest(
            ref=ref,
            patterns=tuple(patterns),
            dest=None if dest is None else Path(dest),
            link=link or self._usual_link(),
            verify=verify,
            force=force,
            dry_run=dry_run,
            ignore=self._ignore,
        )
        with self._opened.confirmed():
            return pull(self._opened, request, watching(listener, stop))

    def _usual_link(self) -> LinkMode:
        """How files are put in place when nobody says: links only where there can be any."""
        usual = self._link or self.info.link
        return LinkMode.AUTO if usual in LINKS and self._opened.local_path is None else usual
