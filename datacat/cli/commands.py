"""The table of commands: what exists, in which group, and what other tools call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its name and its line in the help. Its module is `datacat.cli.<name>`."""

    name: str
    summary: str


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Every day",
        (
            Entry("add", "Save a folder or file as a dataset version"),
            Entry("pull", "Get a dataset version onto this machine"),
            Entry("ls", "Find datasets the team already has"),
            Entry("show", "Describe one dataset: files, versions, who uses it"),
            Entry("status", "Say what a local folder is and whether it changed"),
            Entry("diff", "Compare two versions, or a folder with a version"),
            Entry("log", "History of one dataset, or what the team did lately"),
        ),
    ),
    (
        "Look inside",
        (
            Entry("head", "First rows of a table, first bytes of a file"),
            Entry("sql", "Query the catalog with SQL (DuckDB, read-only)"),
            Entry("lineage", "What an output was made from, and what used it"),
        ),
    ),
    (
        "Organise",
        (
            Entry("alias", "Point a name at a version: cmr@gold"),
            Entry("edit", "Change description, tags, owner, message"),
            Entry("rename", "Rename a dataset; the old name keeps working"),
            Entry("rm", "Move a dataset or version to the trash"),
            Entry("restore", "Bring it back from the trash"),
        ),
    ),
    (
        "Shared store",
        (
            Entry("init", "Create a team store, or join an existing one"),
            Entry("scan", "Report duplicate copies under a folder"),
            Entry("du", "Disk use and space saved by deduplication"),
            Entry("verify", "Check stored or local files against their hashes"),
            Entry("repair", "Mend damage from other copies of the data"),
            Entry("copy", "Send versions to another store"),
            Entry("clone", "Make a second store with all that one holds"),
            Entry("gc", "Free the space of trashed data"),
        ),
    ),
    (
        "Set up",
        (
            Entry("config", "Show or change settings, and where each comes from"),
            Entry("doctor", "Check this machine and the store; say how to fix"),
            Entry("completion", "Print the shell completion script"),
        ),
    ),
)

ENTRIES: Mapping[str, Entry] = {entry.name: entry for _, group in GROUPS for entry in group}

EXAMPLES = (
    ("datacat ls cmr", "what do we have about cmr?"),
    ("datacat pull cmr@v3", "get exactly version 3"),
    ("datacat add ./cmr", "share my changes as the next version"),
)

_SYNONYMS = {
    "add": "push commit save upload put track",
    "pull": "get download checkout fetch install",
    "ls": "list search find",
    "show": "info describe view inspect",
    "log": "history activity",
    "head": "cat preview",
    "sql": "query",
    "edit": "tag",
    "rename": "mv",
    "rm": "delete remove",
    "restore": "undelete",
    "init": "connect use login",
    "scan": "dedupe duplicates",
    "du": "stats df",
    "verify": "fsck check",
    "repair": "mend heal fix",
    "gc": "prune",
    "serve": "web ui catalog",
}

SYNONYMS: Mapping[str, str] = {
    word: name for name, words in _SYNONYMS.items() if name in ENTRIES for word in words.split()
}
"""What other tools call a command that exists here."""

MEANINGS: Mapping[str, str] = {"tag": "edit --tag (a keyword), or datacat alias (a pointer)"}
"""Words that mean more than one command here."""
