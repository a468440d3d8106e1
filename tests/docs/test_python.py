"""The Python in the pages runs, and prints what the pages say."""

from __future__ import annotations

import doctest
from pathlib import Path

import fsspec
import pytest

import real_data
from tests.docs.pages import PAGES, Block, blocks, name_of
from tests.docs.session import Session

SETUP = """
alice$ datacat init /shared/datacat --name lab
alice$ datacat add ./weather -m "as downloaded" --tag climate
bob$ datacat init /shared/datacat
bob$ datacat pull weather
bob$ sed -i s/drizzle/rain/ weather/seattle-weather.csv
bob$ datacat add ./weather -m "drizzle is rain"
"""

WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


@pytest.fixture
def alice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alice's home, as this process sees it, after the team saved `weather` twice."""
    session = Session(tmp_path)
    person = session.people["alice"]
    real_data.weather(person.home / "weather")
    session.follow(Block("console", SETUP.lstrip(), 0))
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DATACAT_STORE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in person.environment.items():
        if name in ("HOME", "DATACAT_USER"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(person.home)
    fsspec.get_filesystem_class("datacat").clear_instance_cache()  # it has another home
    return person.home


@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_the_python_of_a_page_runs(page: Path, alice: Path) -> None:
    shared = alice.parent / "shared"
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        text = block.text.replace("/shared/", f"{shared}/")
        if ">>>" not in text:
            exec(compile(text, f"{name_of(page)}:{block.line}", "exec"), names)
            continue
        parsed = doctest.DocTestParser().get_doctest(text, names, name_of(page), None, block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        said: list[str] = []
        runner.run(parsed, out=said.append, clear_globs=False)
        names = parsed.globs
        assert not runner.failures, "".join(said)
