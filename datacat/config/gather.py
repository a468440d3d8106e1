"""Gathering: one frozen `Settings` out of flags, environment and files, each with its source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datacat.address import is_url
from datacat.config.keys import (
    DEFAULT_IGNORE,
    KEYS,
    Key,
    Shape,
    Value,
    closest_key,
    is_truthy,
    parse,
)
from datacat.errors import Failed, InvalidInput

PROJECT_FILE = "datacat.toml"
PYPROJECT_FILE = "pyproject.toml"
DEFAULT = "default"
DEFAULT_JOBS_MAX = 8
"""More threads than this seldom help one disk."""

PERSONAL_NOTICE = "using your personal store; to share with a team:  datacat init /shared/path"
"""Said once on stderr by every command that uses the personal store."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What settings are gathered from: the process, described by values."""

    environment: Mapping[str, str]
    folder: Path
    home: Path
    user_file: Path
    site_file: Path
    data_dir: Path
    cache_dir: Path
    os_user: str
    cores: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its value; `sources` says for each key where it came from.

    `link` is None when nobody chose, so that the store's own default counts. `warnings` are to be
    shown once, by the front end.
    """

    store: str
    personal: bool
    user: str
    link: str | None
    jobs: int
    ignore: tuple[str, ...]
    similar: float
    activity: bool
    executor: str
    cache_dir: str
    format: str
    colour: str
    prompts: bool
    debug: bool
    store_options: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def value(self, key: str) -> Value:
        """The value of `key`, as the table of settings shows it."""
        if key == "link" and self.link is None:
            return "auto"
        found: Value = getattr(self, key)
        return found


def surroundings() -> Surroundings:
    """The surroundings of this process. Only front ends call this; nothing else looks."""
    import platformdirs

    try:
        folder = Path.cwd()
    except FileNotFoundError as error:
        raise Failed(
            "the current folder does not exist any more", kind="no_current_folder"
        ) from error
    return Surroundings(
        environment=dict(os.environ),
        folder=folder,
        home=Path("~").expanduser(),
        user_file=platformdirs.user_config_path("datacat", appauthor=False) / "config.toml",
        site_file=platformdirs.site_config_path("datacat", appauthor=False) / "config.toml",
        data_dir=platformdirs.user_data_path("datacat", appauthor=False),
        cache_dir=platformdirs.user_cache_path("datacat", appauthor=False),
        os_user=_os_user(),
        cores=_cores(),
    )


def _os_user() -> str:
    """The account's name, by the operating system rather than by a variable anyone can set."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gather(
    around: Surroundings,
    *,
    flags: Mapping[str, object] | None = None,
    files: bool = True,
    caller: str | None = None,
) -> Settings:
    """The settings in force. `flags` holds what was given on the command line, by key.

    `files=False` ignores every file (`--no-config`); `caller` is what `flags` come from when it is
    not a command line. Raises `InvalidInput` for a bad value, naming the key and the flag, file or
    variable; unknown keys only warn.
    """
    gathered = _Gathered(around, flags or {}, caller)
    if files:
        gathered.read_files()
    values = {name: gathered.find(key) for name, key in KEYS.items()}
    store = values.pop("store")
    merged = {
        **{name: key.default for name, key in KEYS.items()},
        "jobs": min(DEFAULT_JOBS_MAX, max(1, around.cores)),
        "cache_dir": str(around.cache_dir),
        **{name: value for name, value in values.items() if value is not None},
    }
    return Settings(
        **{name: merged.get(name) for name in KEYS if name != "store"},  # type: ignore[arg-type]
        store=str(store) if store is not None else str(around.data_dir / "store"),
        personal=store is None,
        sources=gathered.sources,
        warnings=tuple(gathered.warnings),
    )


class _Gathered:
    """The layers of one gathering, and what was learnt on the way."""

    def __init__(
        self, around: Surroundings, flags: Mapping[str, object], caller: str | None
    ) -> None:
        self.around = around
        self.flags = flags
        self.caller = caller
        self.layers: list[tuple[Path, Mapping[str, object]]] = []
        self.sources: dict[str, str] = {}
        self.warnings: list[str] = []

    def read_files(self) -> None:
        if found := find_project(self.around.folder):
            self._add_layer(*found, allowed={k for k, v in KEYS.items() if v.project})
        for path in (self.around.user_file, self.around.site_file):
            if (table := read_toml(path)) is not None:
                self._add_layer(path, table, allowed={k for k, v in KEYS.items() if v.user})

    def _add_layer(self, path: Path, table: Mapping[str, object], *, allowed: set[str]) -> None:
        for name in table:
            if name in allowed:
                continue
            if name in KEYS:
                self.warnings.append(f"'{name}' cannot be set in {path}; it is ignored")
            else:
                meant = closest_key(name)
                self.warnings.append(
                    f"unknown setting '{name}' in {path}"
                    + (f"; did you mean '{meant}'?" if meant else "")
                )
        self.layers.append((path, {k: v for k, v in table.items() if k in allowed}))

    def find(self, key: Key) -> Value:
        """The value of `key` by the order of precedence; its source is noted. None: default."""
        special = {
            "user": self._user,
            "ignore": self._ignore,
            "colour": self._colour,
            "prompts": self._prompts,
            "debug": self._debug,
            "format": self._format,
        }
        if key.name in special:
            return special[key.name](key)
        return _first(self._from_flag, self._from_environment, self._from_files)(key)

    def _note(self, key: Key, source: str) -> None:
        self.sources[key.name] = source

    def _from_flag(self, key: Key) -> Value:
        raw = self.flags.get(key.name)
        self._note(key, DEFAULT)
        if raw is None:
            return None
        source = self.caller or key.flag
        self._note(key, source)
        return self._placed(key, parse(key, raw, source=source), self.around.folder)

    def _from_environment(self, key: Key, *, only: str | None = None) -> Value:
        for variable in (only,) if only else key.environment:
            if raw := self.around.environment.get(variable):
                self._note(key, variable)
                return self._placed(key, parse(key, raw, source=variable), self.around.folder)
        return None

    def _from_files(self, key: Key) -> Value:
        for path, table in self.layers:
            if key.name in table:
                self._note(key, str(path))
                value = parse(key, table[key.name], source=str(path))
                return self._placed(key, value, path.parent)
        return None

    def _placed(self, key: Key, value: Value, folder: Path) -> Value:
        """A folder made absolute: relative to the file that names it, or to the current one."""
        if key.shape is not Shape.PLACE or not isinstance(value, str) or is_url(value):
            return value
        if value == "~" or value.startswith("~/"):
            return os.path.normpath(self.around.home / value[2:])
        return os.path.normpath(folder / value)

    def _user(self, key: Key) -> Value:
        """On a Hub everybody is `jovyan`: what a person or their config says goes first."""
        personal, hub = key.environment
        return _first(
            self._from_flag,
            lambda key: self._from_environment(key, only=personal),
            self._from_files,
            lambda key: self._from_environment(key, only=hub),
            lambda _key: self.around.os_user,
        )(key)

    def _ignore(self, key: Key) -> Value:
        patterns = list(DEFAULT_IGNORE)
        sources = [DEFAULT]
        for path, table in self.layers:
            if key.name in table:
                value = parse(key, table[key.name], source=str(path))
                patterns += [p for p in value if p not in patterns]  # type: ignore[union-attr]
                sources.append(str(path))
        self._note(key, ", ".join(sources))
        return tuple(patterns)

    def _colour(self, key: Key) -> Value:
        if (flag := self._from_flag(key)) is not None:
            return flag
        environment = self.around.environment
        for variable, value, applies in (
            ("NO_COLOR", "never", bool(environment.get("NO_COLOR"))),
            ("FORCE_COLOR", "always", is_truthy(environment.get("FORCE_COLOR"))),
            ("TERM", "never", environment.get("TERM") == "dumb"),
        ):
            if applies:
                self._note(key, variable)
                return value
        return None

    def _prompts(self, key: Key) -> Value:
        self._note(key, DEFAULT)
        if self.flags.get("prompts") is False:
            self._note(key, key.flag)
            return False
        # `!datacat` in a notebook runs on a terminal that nobody can type into.
        for variable in key.environment:
            if is_truthy(self.around.environment.get(variable)):
                self._note(key, variable)
                return False
        return None

    def _debug(self, key: Key) -> Value:
        found = self._from_flag(key)
        if found is None:
            found = is_truthy(self.around.environment.get("DATACAT_DEBUG"))
            self._note(key, "DATACAT_DEBUG" if found else DEFAULT)
        return found

    def _format(self, key: Key) -> Value:
        chosen = self.flags.get("format")
        self._note(key, key.flag if chosen else DEFAULT)
        return "json" if chosen else None


def _first(*ways: Callable[[Key], Value]) -> Callable[[Key], Value]:
    """The first of `ways` that gives a value; False and 0 are values."""

    def find(key: Key) -> Value:
        found = (way(key) for way in ways)
        return next((value for value in found if value is not None), None)

    return find


def find_project(folder: Path) -> tuple[Path, Mapping[str, object]] | None:
    """The nearest project file at or above `folder`, with its table; the first match wins."""
    for place in _upwards(folder):
        if (table := read_toml(place / PROJECT_FILE)) is not None:
            return place / PROJECT_FILE, table
        pyproject = read_toml(place / PYPROJECT_FILE, needs=b"tool.datacat")
        tool = pyproject.get("tool") if pyproject else None
        if isinstance(tool, Mapping) and isinstance(tool.get("datacat"), Mapping):
            return place / PYPROJECT_FILE, tool["datacat"]
    return None


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents


def read_toml(path: Path, *, needs: bytes = b"") -> Mapping[str, object] | None:
    """The table in `path`, or None when there is no such file or it does not mention `needs`.

    Raises `InvalidInput` for a file that is not TOML, `Failed` for one that cannot be read.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        if needs:
            return None
        raise Failed(
            f"cannot read the settings in {path}: {error.strerror or error}",
            kind="unreadable_settings",
            commands=["datacat --no-config ls"],
        ) from error
    if needs not in data:
        return None
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} is not valid TOML: {error}", kind="bad_settings_file"
        ) from error
