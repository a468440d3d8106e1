"""`docs/settings.md` lists every setting as `datacat.config` knows it, and no other."""

from __future__ import annotations

from datacat.config import DEFAULT_IGNORE, KEYS
from tests.docs.pages import ROOT, code, prose, table

PAGE = ROOT / "docs" / "settings.md"


def test_the_table_says_what_the_code_says() -> None:
    documented = {}
    for key, flag, environment, project, user, _default in table(PAGE, "Key"):
        flags = code(flag)
        places = (project == "yes", user == "yes")
        documented[code(key)[0]] = (flags[0] if flags else "", code(environment), *places)
    known = {
        name: (key.flag, list(key.environment), key.project, key.user) for name, key in KEYS.items()
    }
    assert documented == known
    assert list(documented) == list(known), "the order differs"


def test_the_default_patterns_are_those_of_the_code() -> None:
    default = next(row[-1] for row in table(PAGE, "Key") if row[0] == "`ignore`")
    assert tuple(code(default)) == DEFAULT_IGNORE


def test_every_setting_is_explained() -> None:
    explained = " ".join(
        line.split("**")[1].rstrip(".") for line in prose(PAGE).splitlines() if line[:2] == "**"
    )
    assert set(explained.replace(",", "").split()) == set(KEYS)
