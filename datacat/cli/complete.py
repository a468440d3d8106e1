"""Answering the shell that asks what can stand at the cursor.

click finds out what is being typed; what values there are comes from the words that commands left
behind (`known.py`). A value that the shell could take for something else is quoted: tags are plain
words, but owners and file names are chosen by other people.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
)

from datacat.cli.commands import ENTRIES
from datacat.cli.invocation import Invocation
from datacat.cli.known import exact, file_of, files_of, recall
from datacat.cli.root import Root, root
from datacat.errors import DatacatError
from datacat.model import Words

VARIABLE = "_DATACAT_COMPLETE"
PROGRAM = "datacat"

_BASH = """\
_datacat_completion() {
    local kind value words
    COMPREPLY=()
    words=$(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \\
        _DATACAT_COMPLETE=bash_complete "$1" 2>/dev/null)
    while IFS=, read -r kind value; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done <<< "$words"
}
# Or cmr@v<TAB> would be two words, and nothing would be found for the second.
COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}
complete -o nosort -F _datacat_completion datacat
"""

_FISH = """\
function _datacat_completion
    set -lx COMP_WORDS (commandline -cp | string collect)
    set -lx COMP_CWORD (commandline -t | string collect)
    set -l answer (_DATACAT_COMPLETE=fish_complete datacat 2>/dev/null)
    for line in $answer
        set -l found (string split -m 1 , -- $line)
        switch $found[1]
            case dir
                __fish_complete_directories (commandline -t)
            case file
                __fish_complete_path (commandline -t)
            case '*'
                echo -- $found[2]
        end
    end
end
complete --no-files --command datacat --arguments "(_datacat_completion)"
"""

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName datacat -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:_DATACAT_COMPLETE = 'powershell_complete'
    $env:COMP_WORDS = ($commandAst.CommandElements | ForEach-Object { $_.ToString() }) -join "`n"
    $env:COMP_CWORD = "$wordToComplete"
    try { $answer = & datacat 2>$null }
    finally { Remove-Item Env:_DATACAT_COMPLETE, Env:COMP_WORDS, Env:COMP_CWORD }
    foreach ($line in $answer) {
        $kind, $value = $line -split ',', 2
        if ($kind -eq 'plain') {
            [System.Management.Automation.CompletionResult]::new(
                $value, $value, 'ParameterValue', $value)
        }
    }
}
"""

_SPECIAL = re.compile(r"[^\w@%+=:,./-]")


def _line(item: CompletionItem[str], quoted: str) -> str:
    return f"{item.type},{quoted}"


class Bash(BashComplete):
    """bash takes what it is given as it is, so that special characters need a backslash."""

    source_template = _BASH

    def source(self) -> str:
        return _BASH

    def format_completion(self, item: CompletionItem[str]) -> str:
        return _line(item, _SPECIAL.sub(r"\\\g<0>", item.value))


class Fish(FishComplete):
    """fish quotes by itself what it inserts."""

    source_template = _FISH

    def source(self) -> str:
        return _FISH

    def format_completion(self, item: CompletionItem[str]) -> str:
        return _line(item, item.value)


class PowerShell(ShellComplete):
    """PowerShell takes what it is given as it is: words with special characters in quotes."""

    name = "powershell"
    source_template = _POWERSHELL

    def source(self) -> str:
        return _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        words = [_unquoted(word) for word in os.environ["COMP_WORDS"].split("\n")]
        incomplete = _unquoted(os.environ["COMP_CWORD"])
        typed = words[1:-1] if incomplete and words[-1] == incomplete else words[1:]
        return typed, incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        # A word that begins with @ would be splatted, and a comma makes a list.
        plain = re.fullmatch(r"[\w+=:./-][\w@+=:./-]*", item.value)
        return _line(item, item.value if plain else "'" + item.value.replace("'", "''") + "'")


def _unquoted(word: str) -> str:
    for quote in "'\"":
        if word.startswith(quote):
            return word[1:].removesuffix(quote).replace(quote * 2, quote)
    return word


SHELLS: dict[str, type[ShellComplete]] = {
    "bash": Bash,
    "zsh": ZshComplete,  # quotes by itself what it inserts
    "fish": Fish,
    "powershell": PowerShell,
}


class _Offering(Root):
    """The commands, with words to offer for their arguments."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        for param in found.params if found else ():
            if param.metavar in _OFFERS and type(param.type) is click.types.StringParamType:
                param.type = _Completed(param.metavar)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Options, or the commands with their summaries: without importing any of them."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(entry.name, help=entry.summary)
            for entry in ENTRIES.values()
            if entry.name.startswith(incomplete)
        ]


def script(shell: str) -> str:
    """The script that tells `shell` to ask us."""
    return SHELLS[shell](root(), {}, PROGRAM, VARIABLE).source()


def answer(instruction: str) -> int:
    """Print what can stand at the cursor, for `bash_complete` and the like; the exit code."""
    shell, _, action = instruction.partition("_")
    if shell not in SHELLS or action != "complete":
        return 1
    asked = SHELLS[shell](root(_Offering), {"obj": Invocation()}, PROGRAM, VARIABLE)
    try:
        args, incomplete = asked.get_completion_args()
        found = asked.get_completions(args, incomplete)
    except (DatacatError, click.ClickException, OSError, LookupError, ValueError):
        return 1  # settings that make no sense, for example: the command itself will say it
    # What cannot be typed is left out: whoever made it up would confuse the terminal.
    lines = [asked.format_completion(item) for item in found if item.value.isprintable()]
    sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode(errors="replace"))
    sys.stdout.buffer.flush()
    return 0


class _Completed(click.types.StringParamType):
    """Text for which there are words to offer. `kind` is the metavar: what is to be typed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """What begins with `incomplete`."""
        del param
        return list(_OFFERS[self.kind](_Asked(ctx), incomplete))


class _Asked:
    """The words of the store that the command line means."""

    def __init__(self, context: click.Context) -> None:
        found = context.find_object(Invocation)
        run = found if found is not None else Invocation()
        run.given.quiet = True
        self.file = file_of(run.settings.cache_dir, run.settings.store)
        self.context = context

    @property
    def words(self) -> Words:
        return recall(self.file)


# In quotes: not every click that we support can be asked for `CompletionItem[str]`.
Offer = Callable[[_Asked, str], "Iterator[CompletionItem[str]]"]


def _starting(values: Iterable[str], incomplete: str) -> Iterator[CompletionItem[str]]:
    return (CompletionItem(value) for value in values if value.startswith(incomplete))


def _names(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    yield from _starting(asked.words.datasets, incomplete.lower())


def _references(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    """Names; behind an `@` versions and aliases; behind a `/` files."""
    head, slash, _ = incomplete.partition("/")
    name, at, _ = head.lower().partition("@")
    words = asked.words
    if slash:
        paths = files_of(asked.file, exact(words, head))
        yield from _starting((f"{head}/{path}" for path in paths), incomplete)
    elif at:
        known = words.datasets.get(name, ())
        yield from _starting((f"{name}@{word}" for word in known), head.lower())
    else:
        yield from _starting(words.datasets, incomplete.lower())


def _references_or_files(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    if not incomplete.startswith((".", "/", "~")):
        yield from _references(asked, incomplete)
    yield from _files(asked, incomplete)


def _files(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    del asked
    yield CompletionItem(incomplete, type="file")


def _folders(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    del asked
    yield CompletionItem(incomplete, type="dir")


def _paths_inside(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    """Files of the version that stands before."""
    ref = str(asked.context.params.get("ref") or "")
    yield from _starting(files_of(asked.file, exact(asked.words, ref)), incomplete)


def _tags(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    yield from _starting(asked.words.tags, incomplete.lower())


def _owners(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    yield from _starting(asked.words.owners, incomplete)


def _aliases(asked: _Asked, incomplete: str) -> Iterator[CompletionItem[str]]:
    known = {w for after in asked.words.datasets.values() for w in after}
    aliases = sorted(word for word in known if not re.fullmatch(r"v\d+", word))
    yield from _starting(aliases, incomplete.lower())


_OFFERS: dict[str, Offer] = {
    **dict.fromkeys(("NAME", "[NAME]", "[NAME]...", "OLD"), _names),
    **dict.fromkeys(("REF", "REF...", "NAME[@VERSION]", "[QUERY]", "REF/PATH"), _references),
    **dict.fromkeys(("REF|PATH", "[REF|PATH]...", "[A]", "[B]"), _references_or_files),
    **dict.fromkeys(("PATH", "PATH...", "[PATH]...", "PATH|URL", "FILE"), _files),
    "DIR": _folders,
    "[PATTERN]...": _paths_inside,
    "T": _tags,
    "U": _owners,
    **dict.fromkeys(("A", "[ALIAS]"), _aliases),
}
