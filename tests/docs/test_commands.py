"""The pages name every command, and no command or option that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from datacat.cli.commands import ENTRIES
from datacat.cli.root import root
from tests.docs.pages import PAGES, ROOT, blocks, code, name_of, spans, table

README = ROOT / "README.md"
_COMMAND = re.compile(r"(?:^|[\s(|;&$`])datacat((?: [^\s|;&)#]+)*)")


def typed_in(page: Path) -> Iterator[list[str]]:
    """The words after `datacat`, wherever a page shows it as something to type."""
    for block in blocks(page, "sh", "console"):
        for line in block.text.replace("\\\n", " ").splitlines():
            for match in _COMMAND.finditer(line.split("  #")[0]):
                yield match[1].split()
    for span in spans(page):
        if span.startswith("datacat "):
            yield span.split()[1:]


def test_the_readme_lists_every_command() -> None:
    listed = {code(row[0])[0]: row[1] for row in table(README, "Command")}
    assert listed == {f"datacat {name}": entry.summary for name, entry in ENTRIES.items()}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_exist(page: Path) -> None:
    group = root()
    context = click.Context(group, info_name="datacat")
    for words in typed_in(page):
        names = [word for word in words if re.fullmatch(r"[a-z]+", word)]
        first = next((word for word in names if word in ENTRIES), None)
        options = [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]
        if first is None:
            assert not names, f"{name_of(page)}: datacat {' '.join(words)}"
            known = {name for param in group.get_params(context) for name in param.opts}
        else:
            command = group.get_command(context, first)
            assert command is not None
            known = {name for param in command.get_params(context) for name in param.opts}
        unknown = [option for option in options if option not in known]
        assert not unknown, f"{name_of(page)}: datacat {' '.join(words)}"


def test_what_is_typed_is_found() -> None:
    found = list(typed_in(README))
    assert ["pull", "cmr"] in found
    assert any(words[:1] == ["add"] and "--metric" in words for words in found)
