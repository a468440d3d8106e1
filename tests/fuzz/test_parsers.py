"""Each parser on some hundreds of inputs; `make fuzz` lets atheris look for millions."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import EFFORT
from tests.fuzz.mutants import WORDS, mutant
from tests.fuzz.parsers import BY_NAME, Parser

INPUTS = round(200 * EFFORT)


@pytest.fixture(params=BY_NAME)
def parser(request: pytest.FixtureRequest) -> Parser:
    return BY_NAME[request.param]


def test_any_input_is_parsed_or_refused(parser: Parser) -> None:
    chance = random.Random(parser.name)
    for data in (
        b"",
        *parser.seeds,
        *WORDS,
        *(mutant(parser.seeds, chance) for _ in range(INPUTS)),
    ):
        try:
            parser.try_on(data)
        except Exception as error:
            raise AssertionError(f"{parser.name} on {data[:300]!r}") from error


REFUSED_SEEDS = {"undo_file", "store_file", "marker", "registration", "record", "record_sealed"}


def test_the_seeds_are_near_what_is_accepted(parser: Parser) -> None:
    """Or only the first line of a parser would be tried."""
    if parser.name not in REFUSED_SEEDS:
        for seed in parser.seeds:
            parser.parse(seed)


def test_every_parser_module_is_there() -> None:
    """Of what comes from others: whoever writes a new one adds it to the list."""
    root = Path(__file__).parents[2] / "datacat"
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "json.loads(" in (text := path.read_text())
        or "json.decode(" in text
        or "tomllib.load" in text
        or ".unpack" in text
    }
    assert found - KNOWN == set()


KNOWN = {
    *("catalog/store_file.py", "catalog/strict_json.py", "cli/arguments.py", "config/gather.py"),
    *("objects/pack.py", "scan/undo.py", "transfer/journal.py"),
    "working_copy/marker.py",
    # What Google's servers answer, to whom one shows a token.
    *("backend/gcs.py", "backend/gcs_errors.py", "providers/gcs.py"),
    # What this program itself wrote, in a cache or into memory.
    *("cli/known.py", "copies/reading.py", "copies/writing.py", "maintenance/unfinished.py"),
    *(
        "recovery/recover.py",
        "recovery/recover_log.py",
        "recovery/recover_tables.py",
        "replication/clone.py",
        "scan/sharing.py",
    ),
    "transfer/located.py",
}
