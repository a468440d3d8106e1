"""`datacat scan`: find the copies that lie about on a drive."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from datacat.cache_dir import personal
from datacat.cli.command import Command, Count
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation
from datacat.errors import Failed, InvalidInput

ABOUT = """\
Changes nothing. Reads only what names and sizes leave open, and remembers it: interrupted or run
again, it goes on where it was. Whole folders come first, the same or nearly the same, then files.
Hard links and reflinks count once. Links are not followed, and stores are left out.

--adopt saves the first copy of a group as a version, and replaces every file of the others that
holds the same, compared byte by byte: by a reflink where the file system can, else by a read-only
link to the store. GROUP is from the table, or the path of a copy. Without --yes nothing is done.
"""
EXAMPLES = (
    ("datacat scan /shared/projects", "what takes space more than once?"),
    ("datacat scan . --adopt 3f2a1c9", "what would it free?"),
    ("datacat scan ~ --min-size 1GB", "only what wastes a gigabyte or more"),
)
STOPPING = "Stopping… (what was read is remembered; run the same command to continue)"
ADOPTING = """\
Stopping… (every file is whole; what was replaced until now stays so.
  To bring it back:  datacat scan --undo {undo})"""
UNDOING = "Stopping… (every file is whole; run the same command to continue)"
SHOWN = 10
"""Groups in a table on a terminal, where the report has the rest."""

REPORTED = 1_000
"""Groups in a report, in JSON and in a pipe."""


@click.command(cls=Command, name="scan", about=ABOUT, examples=EXAMPLES)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--min-size", metavar="SIZE", help="Leave out what wastes less, such as 100MB.")
@click.option(
    "--depth", type=Count(), metavar="N", help="Leave out copies more than N folders down."
)
@click.option("--limit", type=Count(), metavar="N", help="Tell so many groups.  [10, 1000 in JSON]")
@click.option("--files", "files_only", is_flag=True, help="Only files, no whole folders.")
@click.option("-x", "--one-file-system", is_flag=True, help="Stay on the file system of PATH.")
@click.option("--report", metavar="FILE", help="Write the report there, not to your cache.")
@click.option(
    "--adopt", "group", metavar="GROUP", help="Replace the copies of this group by links."
)
@click.option("--name", metavar="NAME", help="With --adopt: the dataset to save the first copy to.")
@click.option(
    "--link",
    type=click.Choice(["auto", "reflink", "hardlink", "symlink"]),
    default="auto",
    help="With --adopt: how to replace.",
)
@click.option("--yes", "-y", is_flag=True, help="With --adopt: do it; else only say what it would.")
@click.option("--undo", "undo_file", metavar="FILE", help="Bring back what an --adopt replaced.")
@click.option("-n", "--dry-run", is_flag=True, help="Only count: say how much would be read.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    paths: tuple[str, ...],
    min_size: str | None,
    depth: int | None,
    limit: int | None,
    files_only: bool,
    one_file_system: bool,
    report: str | None,
    group: str | None,
    name: str | None,
    link: str,
    yes: bool,
    undo_file: str | None,
    dry_run: bool,
) -> None:
    if undo_file is not None:
        _undo(run, undo_file, given=(*paths, group, name, yes or dry_run))
    elif group is not None:
        _adopt(
            run,
            group,
            paths,
            name=name,
            link=link,
            files_only=files_only,
            one_file_system=one_file_system,
            execute=yes and not dry_run,
        )
    elif name or yes or link != "auto":
        raise InvalidInput("--name, --link and --yes go with --adopt GROUP", kind="usage")
    else:
        _scan(
            run,
            paths,
            min_size=min_size,
            depth=depth,
            limit=limit,
            files_only=files_only,
            one_file_system=one_file_system,
            report=report,
            dry_run=dry_run,
        )


def _scan(
    run: Invocation,
    paths: tuple[str, ...],
    *,
    min_size: str | None,
    depth: int | None,
    limit: int | None,
    files_only: bool,
    one_file_system: bool,
    report: str | None,
    dry_run: bool,
) -> None:
    from dataclasses import replace

    from datacat.cli.arguments import parse_size
    from datacat.render import shapes
    from datacat.render.scan import after, print_scan, summary
    from datacat.render.scan_report import write_report

    screen, store = run.screen, run.store
    with run.work(text=STOPPING) as work:
        result = store.scan(
            paths or (".",),
            min_bytes=parse_size(min_size),
            depth=depth,
            limit=max(limit or 0, REPORTED),
            files_only=files_only,
            one_file_system=one_file_system,
            dry_run=dry_run,
            listener=work.listener,
            stop=work.stop,
        )
    written: str | None = None
    if not dry_run:
        default = personal(Path(run.settings.cache_dir)) / f"scan-{screen.now:%Y-%m-%d}.html"
        # The report in the cache is an extra; one that was asked for is not.
        with suppress(*(() if report else (Failed,))):
            write_report(Path(report) if report else default, result, now=screen.now)
            written = report or str(default)
    shown = limit or (SHOWN if screen.answer_tty and not screen.json else REPORTED)
    result = replace(result, groups=result.groups[:shown])
    if screen.json:
        screen.document(shapes.scanned(result))
        return
    if not screen.answer_tty:
        screen.note(summary(result))
    print_scan(screen, result)
    screen.note(*after(screen, result, report=written))


def _adopt(
    run: Invocation,
    group: str,
    paths: tuple[str, ...],
    *,
    name: str | None,
    link: str,
    files_only: bool,
    one_file_system: bool,
    execute: bool,
) -> None:
    from datacat.model import LinkMode
    from datacat.render import shapes
    from datacat.render.adopt import print_adoption

    screen, store = run.screen, run.store
    undo = f"datacat-undo-{screen.now:%Y%m%dT%H%M%S}-{os.getpid()}.jsonl"
    with run.work(text=ADOPTING.format(undo=undo) if execute else STOPPED) as work:
        adoption = store.adopt(
            group,
            paths or (".",),
            undo_file=undo,
            name=name,
            link=LinkMode(link),
            files_only=files_only,
            one_file_system=one_file_system,
            execute=execute,
            listener=work.listener,
            stop=work.stop,
        )
    if screen.json:
        screen.document(shapes.adopted(adoption))
    else:
        print_adoption(screen, adoption, paths=paths)


def _undo(run: Invocation, undo_file: str, *, given: tuple[object, ...]) -> None:
    from datacat.render import shapes
    from datacat.render.adopt import print_undone

    if any(given):
        raise InvalidInput("--undo FILE stands alone", kind="usage")
    with run.work(text=UNDOING) as work:
        undone = run.store.undo_adopt(undo_file, listener=work.listener, stop=work.stop)
    if run.screen.json:
        run.screen.document(shapes.undone(undone))
    else:
        print_undone(run.screen, undone)
