"""How people name things: `NAME[@VERSION][/PATH]` and the rules for names.

Input is forgiving (`CMR`, `cmr@3`), output canonical (`cmr@v3`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from datacat.errors import InvalidInput
from datacat.text import printable

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8})")
_HASH = re.compile(r"[0-9a-f]{7,64}")
_LOOKS_LIKE_VERSION = re.compile(r"v?\d+")
URL_SCHEME = "datacat://"
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed reference. At most one of `number`, `alias` and `hash_prefix` is set.

    `alias` and `hash_prefix` may both be set when the text could be either; an alias wins.
    """

    name: str
    number: int | None = None
    alias: str | None = None
    hash_prefix: str | None = None
    path: str | None = None

    @property
    def is_latest(self) -> bool:
        return self.number is None and self.alias is None and self.hash_prefix is None

    def __str__(self) -> str:
        text = self.name
        if self.number is not None:
            text += f"@v{self.number}"
        elif self.alias or self.hash_prefix:
            text += f"@{self.alias or self.hash_prefix}"
        return text if self.path is None else f"{text}/{self.path}"


def parse(text: str) -> Ref:
    """Parse `cmr`, `cmr@v3`, `cmr@3`, `cmr@gold`, `cmr@9f3c2a1`, `cmr@v3/labels.csv`.

    Raises `InvalidInput` that says which part is wrong.
    """
    body = text[len(URL_SCHEME) :] if text.startswith(URL_SCHEME) else text
    head, slash, path = body.partition("/")
    name, at, version = head.partition("@")
    name = check_name(name.lower())
    inside = path if slash and path else None
    if not at:
        return Ref(name, path=inside)
    version = version.lower()
    if version == LATEST:
        return Ref(name, path=inside)
    if match := _VERSION.fullmatch(version):
        digits = match.group(1)
        # `1234567` is a version number unless nobody has that many: a hash needs its letters or
        # the absence of a leading v.
        prefix = version if _HASH.fullmatch(version) else None
        return Ref(name, number=int(digits), hash_prefix=prefix, path=inside)
    is_hash = _HASH.fullmatch(version) is not None
    if is_hash:
        return Ref(name, hash_prefix=version, path=inside)
    if NAME.fullmatch(version):
        return Ref(name, alias=version, path=inside)
    raise InvalidInput(
        f"'{text[:200]}' is not a reference",
        kind="bad_reference",
        hint="A reference is NAME, NAME@v3, NAME@alias or NAME@hash.",
    )


def parse_name(text: str, *, command: str) -> str:
    """The name in `text`, where a whole dataset is meant and not a version or file of it.

    Raises `InvalidInput` that shows `command` as it should be typed.
    """
    ref = parse(text)
    if not ref.is_latest or ref.path is not None:
        raise InvalidInput(
            f"'{printable(text)[:200]}' is a part of {ref.name}, not a whole dataset",
            kind="not_a_dataset",
            commands=[f"{command} {ref.name}"],
        )
    return ref.name


def version_ref(name: str, number: int) -> str:
    return f"{name}@v{number}"


def normalise_name(text: str) -> str:
    """A legal name made from a folder's name: `CMR final (2)` becomes `cmr-final-2`.

    Raises `InvalidInput` when nothing legal is left.
    """
    name = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:64].rstrip("-.")
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"no dataset name can be made from '{text[:200]}'",
            kind="bad_name",
            commands=["datacat add PATH --name my-dataset"],
        )
    return name


def check_name(name: str) -> str:
    """`name` if it is a legal dataset name; raises `InvalidInput` with a suggestion otherwise."""
    if NAME.fullmatch(name):
        return name
    try:
        suggestion: str | None = normalise_name(name)
    except InvalidInput:
        suggestion = None
    raise InvalidInput(
        f"'{name[:200]}' is not a dataset name",
        kind="bad_name",
        hint="Names are lower-case letters, digits and . _ - (at most 64), starting with a letter"
        " or digit." + (f" Did you mean '{suggestion}'?" if suggestion else ""),
    )


def check_tag(tag: str) -> str:
    """`tag` in lower case if it is legal; raises `InvalidInput` otherwise."""
    tag = tag.lower()
    if NAME.fullmatch(tag):
        return tag
    raise InvalidInput(
        f"'{printable(tag)[:200]}' cannot be a tag",
        kind="bad_tag",
        hint="A tag is one word of lower-case letters, digits and . _ - (at most 64).",
    )


def check_alias(alias: str) -> str:
    """`alias` if it is legal: it must not look like a version, a hash or `latest`."""
    alias = alias.lower()
    if (
        NAME.fullmatch(alias)
        and alias != LATEST
        and not _LOOKS_LIKE_VERSION.fullmatch(alias)
        and not _HASH.fullmatch(alias)
    ):
        return alias
    raise InvalidInput(
        f"'{alias[:200]}' cannot be an alias",
        kind="bad_alias",
        hint="An alias is a short word like 'gold'; v3, latest and hashes mean something else.",
    )


def check_texts(*texts: str | None) -> None:
    """Raise `InvalidInput` (`bad_text`) for bytes of a command line that are no text."""
    for text in texts:
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"'{printable(text or '')}' is not text", kind="bad_text") from None
