"""Settings: order of precedence, sources, wrong files, and edits that keep what people wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.config import (
    DEFAULT_IGNORE,
    KEYS,
    Settings,
    Surroundings,
    gather,
    set_value,
    surroundings,
    unset_value,
)
from datacat.config.keys import LINK_MODES, known_key, parse
from datacat.errors import Failed, InvalidInput, NotFound
from datacat.model import LinkMode


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    folder = tmp_path / "home" / "proj" / "sub"
    folder.mkdir(parents=True)
    return Surroundings(
        environment={},
        folder=folder,
        home=tmp_path / "home",
        user_file=tmp_path / "home" / ".config" / "datacat" / "config.toml",
        site_file=tmp_path / "etc" / "config.toml",
        data_dir=tmp_path / "home" / ".local" / "share" / "datacat",
        cache_dir=tmp_path / "home" / ".cache" / "datacat",
        os_user="jovyan",
        cores=16,
    )


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def with_environment(around: Surroundings, **variables: str) -> Surroundings:
    return replace(around, environment=variables)


def test_defaults_without_anything(around: Surroundings) -> None:
    found = gather(around)
    assert found.personal
    assert found.store == str(around.data_dir / "store")
    assert (found.user, found.link, found.jobs) == ("jovyan", None, 8)
    assert found.ignore == DEFAULT_IGNORE
    assert found.cache_dir == str(around.cache_dir)
    assert (found.colour, found.format, found.prompts, found.debug) == ("auto", "auto", True, False)
    assert found.value("link") == "auto"
    assert set(found.sources) == set(KEYS)
    assert set(found.sources.values()) == {"default"}


def test_each_place_overrules_the_next(around: Surroundings) -> None:
    write(around.site_file, "store = '/site'")
    steps = [(gather(around), "/site", str(around.site_file))]
    write(around.user_file, "store = '/user'")
    steps.append((gather(around), "/user", str(around.user_file)))
    project = write(around.folder.parent / "datacat.toml", "store = '/project'")
    steps.append((gather(around), "/project", str(project)))
    around = with_environment(around, DATACAT_STORE="/environment")
    steps.append((gather(around), "/environment", "DATACAT_STORE"))
    steps.append((gather(around, flags={"store": "/flag"}), "/flag", "--store"))
    for found, store, source in steps:
        assert (found.store, found.sources["store"], found.personal) == (store, source, False)


def test_an_empty_variable_is_not_set(around: Surroundings) -> None:
    assert gather(with_environment(around, DATACAT_STORE="", NO_COLOR="")).personal


@given(
    flag=st.sampled_from([None, "copy"]),
    variable=st.sampled_from([None, "hardlink"]),
    project=st.sampled_from([None, "reflink"]),
    user=st.sampled_from([None, "symlink"]),
    site=st.sampled_from([None, "auto"]),
)
def test_precedence_is_the_first_that_is_given(
    tmp_path_factory: pytest.TempPathFactory,
    flag: str | None,
    variable: str | None,
    project: str | None,
    user: str | None,
    site: str | None,
) -> None:
    top = tmp_path_factory.mktemp("precedence")
    files = {top / "datacat.toml": project, top / "user.toml": user, top / "site.toml": site}
    for path, value in files.items():
        if value:
            path.write_text(f'link = "{value}"\n')
    around = Surroundings(
        environment={"DATACAT_LINK": variable} if variable else {},
        folder=top,
        home=top,
        user_file=top / "user.toml",
        site_file=top / "site.toml",
        data_dir=top,
        cache_dir=top,
        os_user="x",
        cores=1,
    )
    expected = next((v for v in (flag, variable, project, user, site) if v), None)
    assert gather(around, flags={"link": flag}).link == expected
    assert gather(around, flags={"link": flag}, files=False).link == (flag or variable)


def test_where_add_works(around: Surroundings) -> None:
    assert gather(around).executor == "threads"
    write(around.user_file, "executor = 'dask://hub:8786'")
    assert gather(around).executor == "dask://hub:8786"
    here = with_environment(around, DATACAT_EXECUTOR="threads")
    assert gather(here).executor == "threads"
    assert gather(here).sources["executor"] == "DATACAT_EXECUTOR"
    for wrong in ("spark://hub", "dask://", "dask://hub/x", "8"):
        with pytest.raises(InvalidInput, match=r"DATACAT_EXECUTOR.*expected threads") as caught:
            gather(with_environment(around, DATACAT_EXECUTOR=wrong))
        assert caught.value.kind == "bad_setting"
    with pytest.raises(InvalidInput) as secret:
        gather(with_environment(around, DATACAT_EXECUTOR="dask://me:canary@hub"))
    assert secret.value.kind == "secret_in_url"
    assert "canary" not in str(secret.value)


def test_who_you_are_on_a_hub(around: Surroundings) -> None:
    hub = with_environment(around, JUPYTERHUB_USER="bob")
    assert gather(hub).user == "bob"
    write(around.user_file, "user = 'robert'")
    assert gather(hub).user == "robert"
    both = with_environment(around, JUPYTERHUB_USER="bob", DATACAT_USER="bobby")
    found = gather(both)
    assert (found.user, found.sources["user"]) == ("bobby", "DATACAT_USER")


def test_the_nearest_project_file_counts_alone(around: Surroundings) -> None:
    write(around.folder.parent / "datacat.toml", "store = '/outer'\nlink = 'copy'")
    near = write(
        around.folder / "pyproject.toml", "[project]\nname='x'\n[tool.datacat]\nstore='/near'"
    )
    found = gather(around)
    assert (found.store, found.sources["store"], found.link) == ("/near", str(near), None)
    write(around.folder / "datacat.toml", "store = '/own'")
    assert gather(around).store == "/own"


def test_a_pyproject_of_others_is_passed_over(around: Surroundings) -> None:
    write(around.folder / "pyproject.toml", "[tool.other]\nx = 1")
    write(around.folder.parent / "pyproject.toml", "this is [ not toml")
    assert gather(around).personal
    write(around.folder / "pyproject.toml", "[tool.datacat\nstore = 1")
    with pytest.raises(InvalidInput, match=r"pyproject\.toml is not valid TOML"):
        gather(around)


def test_paths_are_relative_to_what_names_them(around: Surroundings) -> None:
    write(around.folder.parent / "datacat.toml", "store = '../data'")
    assert gather(around).store == str(around.home / "data")
    assert gather(around, flags={"store": "../s"}).store == str(around.folder.parent / "s")
    tilde = with_environment(around, DATACAT_STORE="~/s")
    assert gather(tilde).store == str(around.home / "s")
    url = with_environment(around, DATACAT_STORE="s3://bucket/x/../y")
    assert gather(url).store == "s3://bucket/x/../y"


def test_unknown_keys_warn_with_what_was_meant(around: Surroundings) -> None:
    write(around.user_file, "stroe = '/x'\n")
    write(around.folder / "datacat.toml", "user = 'mallory'\n")
    found = gather(around)
    assert found.user == "jovyan"
    assert found.warnings == (
        f"'user' cannot be set in {around.folder / 'datacat.toml'}; it is ignored",
        f"unknown setting 'stroe' in {around.user_file}; did you mean 'store'?",
    )
    assert gather(around, files=False).warnings == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("jobs = 0", "'jobs'"),
        ("jobs = true", "'jobs'"),
        ("jobs = 'many'", "is 'many'; expected a whole number from 1"),
        ("jobs = inf", "'jobs'"),
        ("jobs = 2.5", "'jobs'"),
        ("link = 'soft'", "expected one of auto, reflink"),
        ("ignore = [1]", "expected a list of patterns"),
        ("store = 3", "expected a folder or a URL"),
        ("store = ''", "expected a folder or a URL"),
        ("user = 'a\\u0007b'", "'user'"),
    ],
)
def test_a_bad_value_names_key_and_file(around: Surroundings, text: str, part: str) -> None:
    quoted = text.replace("'", '"')
    write(around.user_file, quoted)
    with pytest.raises(InvalidInput) as raised:
        gather(around)
    assert str(around.user_file) in raised.value.message
    assert part in raised.value.message
    assert raised.value.kind == "bad_setting"


def test_a_program_is_named_where_it_gave_a_bad_value(around: Surroundings) -> None:
    with pytest.raises(InvalidInput, match=r"^'jobs' in open_store\(\) is 0; expected"):
        gather(around, flags={"jobs": 0}, caller="open_store()")
    found = gather(around, flags={"user": "carol", "jobs": None}, caller="open_store()")
    assert (found.user, found.sources["user"]) == ("carol", "open_store()")
    assert found.sources["jobs"] == "default"


def test_ignore_is_added_to_the_defaults(around: Surroundings) -> None:
    write(around.user_file, "ignore = ['*.tmp', '.git/']")
    project = write(around.folder / "datacat.toml", "ignore = ['scratch/']")
    found = gather(around)
    assert found.ignore == (*DEFAULT_IGNORE, "scratch/", "*.tmp")
    assert found.sources["ignore"] == f"default, {project}, {around.user_file}"


@pytest.mark.parametrize(
    ("environment", "colour"),
    [
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "never"),
        ({"FORCE_COLOR": "1"}, "always"),
        ({"FORCE_COLOR": "0"}, "auto"),
        ({"TERM": "dumb"}, "never"),
        ({"TERM": "xterm"}, "auto"),
    ],
)
def test_colour(around: Surroundings, environment: Mapping[str, str], colour: str) -> None:
    around = replace(around, environment=environment)
    assert gather(around).colour == colour
    assert gather(around, flags={"colour": "always"}).colour == "always"


@pytest.mark.parametrize("variable", ["DATACAT_NO_INPUT", "JPY_PARENT_PID", "CI"])
def test_prompts_are_off_where_nobody_can_type(around: Surroundings, variable: str) -> None:
    found = gather(with_environment(around, **{variable: "1"}))
    assert (found.prompts, found.sources["prompts"]) == (False, variable)
    assert gather(around, flags={"prompts": False}).prompts is False
    assert gather(with_environment(around, CI="false")).prompts is True


def test_an_unreadable_file_is_named(around: Surroundings) -> None:
    around.user_file.parent.mkdir(parents=True)
    around.user_file.symlink_to(around.user_file)
    with pytest.raises(Failed, match=r"cannot read the settings in .*config\.toml"):
        gather(around)


def test_set_and_unset_keep_comments(around: Surroundings) -> None:
    text = "# my settings\nstore = '/a'  # the team\n\n[later]\nregion = 'eu'\n"
    path = write(around.user_file, text)
    set_value(path, "store", "/b")
    set_value(path, "jobs", "3")
    edited = path.read_text()
    assert "# my settings" in edited
    assert "# the team" in edited
    assert "[later]\nregion = 'eu'\n" in edited
    found = gather(around)
    assert (found.store, found.jobs) == ("/b", 3)
    unset_value(path, "store")
    assert gather(around).personal
    assert [p.name for p in path.parent.iterdir()] == ["config.toml"]


def test_a_linked_file_stays_a_link(around: Surroundings, tmp_path: Path) -> None:
    real = write(tmp_path / "dotfiles" / "datacat.toml", "jobs = 1\n")
    real.chmod(0o600)
    around.user_file.parent.mkdir(parents=True)
    around.user_file.symlink_to(real)
    set_value(around.user_file, "user", "bob")
    assert around.user_file.is_symlink()
    assert gather(around).user == "bob"
    assert real.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("stroe", "/x", "unknown_setting"),
        ("jobs", "none", "bad_setting"),
        ("debug", "true", "not_a_user_setting"),
        ("prompts", "no", "not_a_user_setting"),
        ("jobs.x", "1", "unknown_setting"),
        ("store_options", "x", "bad_setting"),
        ("store_options.", "x", "bad_setting"),
        ("store_options.aws_secret_access_key", "canary", "secret_in_settings"),
        ("store_options.key", "canary", "secret_in_settings"),
        ("store_options.endpoint", "https://me:canary@example.org", "secret_in_url"),
        ("store", "s3://me:canary@bucket/x", "secret_in_url"),
        ("trash_days", "3", "unknown_setting"),
    ],
)
def test_what_cannot_be_set(tmp_path: Path, key: str, value: str, kind: str) -> None:
    path = tmp_path / "config.toml"
    with pytest.raises(InvalidInput) as raised:
        set_value(path, key, value)
    assert raised.value.kind == kind
    assert "canary" not in f"{raised.value} {raised.value.hint} {raised.value.commands}"
    assert not path.exists()


def test_options_of_the_store(around: Surroundings) -> None:
    assert gather(around).store_options == {}
    file = around.user_file
    set_value(file, "store_options.endpoint", "http://minio:9000")
    set_value(file, "store_options.profile", "imaging")
    assert gather(around).store_options == {"endpoint": "http://minio:9000", "profile": "imaging"}
    unset_value(file, "store_options.profile")
    write(around.folder / "datacat.toml", "[store_options]\nanonymous = true\nregion = 'eu'\n")
    settings = gather(around)
    assert settings.store_options == {"anonymous": "true", "region": "eu"}
    assert settings.sources["store_options"].endswith("datacat.toml")
    unset_value(file, "store_options.endpoint")
    assert "store_options" not in file.read_text()
    with pytest.raises(NotFound):
        unset_value(file, "store_options.endpoint")
    for bad in (
        "store_options = 'x'",
        "[store_options]\nendpoint = [1]",
        "store = 's3://k:canary@b'",
    ):
        write(around.folder / "datacat.toml", bad)
        with pytest.raises(InvalidInput) as raised:
            gather(around)
        assert "canary" not in str(raised.value)


def test_unset_what_is_not_set(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        unset_value(tmp_path / "config.toml", "store")


def test_a_broken_file_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", "store = [\n")
    with pytest.raises(InvalidInput, match="not valid TOML"):
        set_value(path, "store", "/x")
    assert path.read_text() == "store = [\n"


def test_values_in_text_and_in_toml_mean_the_same() -> None:
    assert parse(known_key("ignore"), "a, b/", source="x") == ("a", "b/")
    assert parse(known_key("debug"), "off", source="x") is False
    assert parse(known_key("jobs"), "4", source="x") == 4


def test_the_table_knows_the_words_of_the_model() -> None:
    assert set(LINK_MODES) == {mode.value for mode in LinkMode}
    fields = set(Settings.__dataclass_fields__)
    assert set(KEYS) == fields - {"personal", "sources", "warnings"}


def test_this_process_can_be_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "k"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    around = surroundings()
    assert around.user_file == tmp_path / "c" / "datacat" / "config.toml"
    assert around.cache_dir == tmp_path / "k" / "datacat"
    assert str(around.site_file) == "/etc/xdg/datacat/config.toml"
    assert around.folder == tmp_path
    assert around.environment["HOME"] == str(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    os.rmdir(gone)
    with pytest.raises(Failed):
        surroundings()
