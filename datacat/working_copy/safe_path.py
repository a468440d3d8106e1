"""Which listings may be written into a folder: checked as a set, before anything is touched.

A version's listing comes from shared storage, so it may be damaged or hostile. Two kinds of
trouble are told apart: a listing that no `add` makes (`..`, a file below a file) is wrong as such;
one that is right but cannot exist *here* (case twins on a folding file system, `aux.txt` on
Windows) is refused here only.
"""

from __future__ import annotations

import os
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from datacat import sql
from datacat.errors import Corrupt, DatacatError, Refused
from datacat.sql import Workspace
from datacat.text import printable

COMPONENT_BYTES_MAX = 255
PATH_BYTES_MAX = 4096
"""Limits of every file system and of Linux's system calls; a walk cannot find longer ones."""


@dataclass(frozen=True, slots=True)
class FileNames:
    """How a destination treats names: does it take `A` for `a`, `é` for `e` + accent?"""

    folds_case: bool = False
    folds_unicode: bool = False
    windows: bool = False

    @property
    def folds(self) -> bool:
        return self.folds_case or self.folds_unicode


def probe(folder: Path) -> FileNames:
    """What the file system of the existing `folder` does, found out with one temporary file.

    Raises `OSError` when nothing can be created there.
    """
    stem = f".datacat-probe-{secrets.token_hex(8)}"
    name = f"{stem}-\u00e9"
    made = folder / name
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    try:
        return FileNames(
            folds_case=os.path.lexists(folder / f"{stem.upper()}-\u00e9"),
            folds_unicode=os.path.lexists(folder / unicodedata.normalize("NFD", name)),
            windows=os.name == "nt",
        )
    finally:
        made.unlink()


def check_entries(
    workspace: Workspace,
    table: str,
    *,
    listing: str = "the listing",
    names: FileNames = FileNames(),
    error: type[DatacatError] = Corrupt,
) -> None:
    """Check the table's `path`, `kind` and `target` as a set; `listing` names it in a message.

    Raises `error` (`unsafe_path`) for a listing that is wrong anywhere, and `Refused`
    (`path_not_possible`, `path_twins`) for one that cannot be written where `names` come from.
    """
    relation = sql.identifier(table)
    _check_texts(workspace, relation, listing=listing, names=names, error=error)
    _check_structure(workspace, relation, listing=listing, names=FileNames(), error=error)
    if names.folds:
        _check_structure(workspace, relation, listing=listing, names=names, error=error)
        _check_folder_twins(workspace, relation, listing=listing, names=names)


# Each rule: what is wrong, and the SQL that finds it. `path` and `target` are columns.
_RULES = (
    (
        "an empty, '.' or '..' part, or a slash too many",
        r"regexp_matches(path, '(^|/)\.{0,2}(/|$)')",
    ),
    ("a NUL character", "contains(path, chr(0))"),
    (
        "a name reserved for datacat",
        r"contains(lower(path), '.datacat') and regexp_matches(path, '(?i)(^|/)\.datacat(/|$)')",
    ),
    ("more than 4,096 bytes", f"strlen(path) > {PATH_BYTES_MAX}"),
    (
        "a name of more than 255 bytes",
        f"strlen(path) > {COMPONENT_BYTES_MAX} and list_max(list_transform("
        f"string_split(path, '/'), lambda part: strlen(part))) > {COMPONENT_BYTES_MAX}",
    ),
    ("an unknown kind", "kind not in ('file', 'symlink', 'dir') or kind is null"),
    (
        "a link target that cannot be",
        "kind = 'symlink' and (target is null or target = '' or contains(target, chr(0))"
        f" or strlen(target) >= {PATH_BYTES_MAX})",
    ),
)
_WINDOWS_RULES = (
    (
        "a character that Windows does not allow",
        r"""regexp_matches(path, '[\x01-\x1f<>:"|?*\\]')""",
    ),
    ("a name that ends with a dot or space", r"regexp_matches(path, '[. ](/|$)')"),
    (
        "a name reserved on Windows",
        r"regexp_matches(path, '(?i)(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.[^/]*)?(/|$)')",
    ),
)


def _check_texts(
    workspace: Workspace,
    relation: str,
    *,
    listing: str,
    names: FileNames,
    error: type[DatacatError],
) -> None:
    rules = [*_RULES, *(_WINDOWS_RULES if names.windows else ())]
    cases = " ".join(f"when {condition} then {n}" for n, (_, condition) in enumerate(rules))
    found = workspace.all(
        f"select coalesce(path, ''), rule from"
        f" (select path, case when path is null then 0 {cases} end as rule from {relation})"
        f" where rule is not null order by rule, path limit 1"
    )
    if not found:
        return
    path, rule = found[0]
    message = f"{listing} has a path with {rules[rule][0]}: {_short(path)}"
    if rule >= len(_RULES):
        raise Refused(message, kind="path_not_possible")
    raise error(message, kind="unsafe_path")


def _check_structure(
    workspace: Workspace,
    relation: str,
    *,
    listing: str,
    names: FileNames,
    error: type[DatacatError],
) -> None:
    """No path twice, and nothing below a file or link.

    In the order of keys whose separator sorts first, all that lies below a path follows it at
    once: comparing neighbours compares everything.
    """
    key = f"replace({_folded('path', names)}, '/', chr(0))"
    found = workspace.all(
        f"""
        select path, kind, next_path, key = next_key as same
        from (
            select path, kind, key,
                lead(key) over (order by key, path) as next_key,
                lead(path) over (order by key, path) as next_path
            from (select path, kind, {key} as key from {relation})
        )
        where key = next_key or (kind <> 'dir' and starts_with(next_key, key || chr(0)))
        order by path
        limit 1
        """
    )
    if not found:
        return
    path, kind, other, same = found[0]
    if not same and not names.folds:
        thing = "link" if kind == "symlink" else "file"
        raise error(
            f"{listing} has the {thing} {_short(path)} and, below it, {_short(other)}",
            kind="unsafe_path",
        )
    if path == other:
        raise error(f"{listing} has {_short(path)} twice", kind="unsafe_path")
    raise _twins(listing, path, other)


def _check_folder_twins(
    workspace: Workspace, relation: str, *, listing: str, names: FileNames
) -> None:
    """Folders that differ only by case or accents' spelling would become one folder."""
    found = workspace.all(
        f"""
        with parents as (
            select distinct regexp_extract(path, '^(.*)/', 1, 's') as parent from {relation}
        ),
        parts as (select string_split(parent, '/') as parts from parents where parent <> ''),
        folders as (
            select distinct array_to_string(parts[1:depth], '/') as folder
            from (select parts, unnest(range(1, len(parts) + 1)) as depth from parts)
        )
        select min(folder), max(folder)
        from (select folder, {_folded("folder", names)} as key from folders)
        group by key
        having count(*) > 1
        order by 1
        limit 1
        """
    )
    if found:
        raise _twins(listing, *found[0])


def _folded(column: str, names: FileNames) -> str:
    folded = f"nfc_normalize({column})" if names.folds_unicode else column
    # Upper first: it folds letters that have two lower cases, such as the long s.
    return f"lower(upper({folded}))" if names.folds_case else folded


def _twins(listing: str, first: str, second: str) -> Refused:
    return Refused(
        f"{_short(first)} and {_short(second)} of {listing} have the same name on this file system",
        kind="path_twins",
        hint="Pull to a file system that tells them apart, or only one of them by a pattern.",
    )


def _short(path: str) -> str:
    shown = printable(path)
    return f"'{shown}'" if len(shown) <= 200 else f"'{shown[:200]}…'"
