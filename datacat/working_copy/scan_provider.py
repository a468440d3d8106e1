"""Scan a provider: list it into the workspace's table `tree`, with the digests that are known.

What the place says of a file (ETag, size, time) stands where a local file has its inode and times:
so the stat cache recognises what is unchanged, and it is not read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from datacat.digest import digest_of
from datacat.opened import OpenedStore, Watch
from datacat.progress import StopSignal
from datacat.providers.base import Found, Provider
from datacat.sql import Workspace
from datacat.transfer.provider_files import ProviderFiles, mark_number
from datacat.transfer.reading import SourceFile
from datacat.transfer.tree import IN_MEMORY_BYTES
from datacat.working_copy import stat_cache
from datacat.working_copy.ignore import IGNORE_FILE, IGNORE_FILE_BYTES_MAX, OURS, IgnoreRules
from datacat.working_copy.scan import Scanned, recall_digests, scan_folder
from datacat.working_copy.walk import COLUMNS, Entry
from datacat.working_copy.walk_report import Collected, Ignored, WalkReport, refuse_not_utf8

UNKNOWN_SIZE = IN_MEMORY_BYTES + 1
"""What a file counts for until it was read, when nobody tells its size: it is read in parts."""


def scan_any(
    workspace: Workspace,
    path: Path | Provider,
    *,
    store: OpenedStore,
    watch: Watch,
    ignore: Sequence[str] = (),
) -> Scanned:
    """`scan_folder` or `scan_provider`, whichever fits."""
    if isinstance(path, Provider):
        return scan_provider(workspace, path, store=store, watch=watch, ignore=ignore)
    refuse_not_utf8(Path(os.path.abspath(path)))
    return scan_folder(workspace, path, store=store, watch=watch, ignore=ignore)


def scan_provider(
    workspace: Workspace,
    provider: Provider,
    *,
    store: OpenedStore,
    watch: Watch,
    ignore: Sequence[str] = (),
) -> Scanned:
    """As `scan_folder`, for `provider`. Raises `NotFound` (`path_not_found`), `Failed`,
    `StorageDenied`."""
    files = ProviderFiles(provider)
    workspace.execute(f"create or replace table walked ({COLUMNS})")
    lister = _Lister(files, extra=ignore, stop=watch.stop)
    for rows in lister.rows():
        workspace.load("walked", rows)
    lister.leave_out(workspace)
    report = lister.report(workspace)
    name = digest_of("xxh3-128", f"provider {provider.secret_url.rstrip('/')}".encode()).hex()
    cache_file = store.cache / "trees" / f"{name}.parquet"
    stat_cache.load_into(workspace, cache_file, algorithm=store.algorithm)
    # Where the place tells no time, the one when the same file was first seen stays its time.
    workspace.execute(
        f"""
        update walked set mtime_ns = c.mtime_ns, ctime_ns = c.ctime_ns
        from stat_cache c
        where walked.mtime_ns is null and c.path = walked.path and c.inode = walked.inode
          and c.inode <> 0 and (c.size = walked.size or walked.size = {UNKNOWN_SIZE})
        """
    )
    workspace.execute(
        "update walked set mtime_ns = $1, ctime_ns = $1 where mtime_ns is null", [time.time_ns()]
    )
    recall_digests(workspace)
    is_file = lister.is_file
    return Scanned(
        place=provider.url,
        stem=(provider.stem.partition(".")[0] or provider.stem) if is_file else provider.stem,
        root=None,
        files=files,
        report=report,
        marker=None,
        cache_file=cache_file,
    )


class _Lister:
    """From the pages of a listing to rows, without what is never data."""

    def __init__(self, files: ProviderFiles, *, extra: Sequence[str], stop: StopSignal) -> None:
        self._files = files
        self._extra = extra
        self._stop = stop
        self._special = Collected()
        self._ignored: dict[tuple[str, bool], int] = {}
        self._has_ignore_file = False
        self.is_file = False

    def rows(self) -> Iterator[list[Entry]]:
        for page in self._files.listing(stop=self._stop):
            rows: list[Entry] = []
            for found in page:
                if found.entry_kind == "special":
                    self._special.add(found.path)
                    continue
                if not found.path:
                    self.is_file = True
                    self._files.alone = self._files.provider.stem
                self._has_ignore_file = self._has_ignore_file or found.path == IGNORE_FILE
                rows.append(_row(found, found.path or self._files.alone))
            yield rows

    def leave_out(self, workspace: Workspace) -> None:
        """Remove from `walked` what the rules leave out, files and whatever lies in folders."""
        rules = self._rules()
        doubtful = workspace.all(
            "select path from walked"
            if rules.patterns
            else "select path from walked"
            " where list_has_any(string_split(path, '/'), $1::varchar[])",
            [] if rules.patterns else [sorted(rules.names)],
        )
        folders: dict[str, bool] = {}
        out = [(path,) for (path,) in doubtful if self._is_out(path, rules, folders)]
        if out and not self.is_file:
            workspace.execute("create table left_out (path varchar)")
            workspace.load("left_out", out)
            workspace.execute("delete from walked where path in (select path from left_out)")
            workspace.execute("drop table left_out")

    def _rules(self) -> IgnoreRules:
        data = b""
        if self._has_ignore_file:
            source = SourceFile(IGNORE_FILE, 0, False, 0, 0, 0)
            limit = IGNORE_FILE_BYTES_MAX
            with self._files.reading([source], limit=limit, stop=self._stop) as read:
                found = next(read)[1]
                data = b" " * (limit + 1) if found is None else found
        shown = f"{self._files.provider.url}/{IGNORE_FILE}"
        return IgnoreRules.from_bytes(data, shown, extra=self._extra)

    def _is_out(self, path: str, rules: IgnoreRules, folders: dict[str, bool]) -> bool:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            prefix = "/".join(parts[:depth])
            is_folder = depth < len(parts)
            if is_folder and prefix in folders:
                if folders[prefix]:
                    return True
                continue
            out = self._is_named(prefix, parts[depth - 1], is_folder, rules)
            if is_folder:
                folders[prefix] = out
            if out:
                return True
        return False

    def _is_named(self, path: str, name: str, is_folder: bool, rules: IgnoreRules) -> bool:
        rule, default = None, True
        if name in rules.names:
            rule = rules.by_name(path, name, is_directory=is_folder)
        if rule is None and rules.patterns:
            rule, default = rules.by_pattern(path, name, is_directory=is_folder), False
        if rule is not None and name != OURS:
            self._ignored[rule, default] = self._ignored.get((rule, default), 0) + 1
        return rule is not None

    def report(self, workspace: Workspace) -> WalkReport:
        files, size, symlinks, empty = workspace.row(
            """
            select count(*) filter (kind = 'file'),
                   coalesce(sum(size) filter (kind = 'file'), 0)::bigint,
                   count(*) filter (kind = 'symlink'), count(*) filter (kind = 'dir')
            from walked
            """
        )
        return WalkReport(
            files=files,
            bytes=size,
            symlinks=symlinks,
            linked=0,
            folders=0,
            empty_folders=empty,
            ignored=tuple(
                Ignored(rule, count, default)
                for (rule, default), count in sorted(self._ignored.items())
            ),
            special=self._special.named(),
            escaping=Collected().named(),
            stores=(),
        )


def _row(found: Found, path: str) -> Entry:
    size = UNKNOWN_SIZE if found.size_bytes is None else found.size_bytes
    when = found.modified_ns
    return (
        path,
        found.entry_kind,
        size,
        found.executable,
        when,  # type: ignore[return-value]  # null until it is known what to take instead
        when,
        mark_number(found.mark),
        0,
        found.target,
        None,
    )
