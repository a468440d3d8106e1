"""What the page of a web server lists: most of them write links to what is in a folder."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit


def links_below(page: str, base: str) -> list[str]:
    """Names of the entries of the folder `base` that `page` links to, each once, unquoted.

    Those of folders end with a slash. Links that lead elsewhere, deeper, or have a query (to sort
    the page) are none.
    """
    parser = _Links()
    parser.feed(page)
    where = urlsplit(base)
    folder = where.path if where.path.endswith("/") else where.path.rpartition("/")[0] + "/"
    names: dict[str, None] = {}
    for link in parser.links:
        try:
            target = urlsplit(urljoin(base, link))
        except ValueError:
            continue
        if target.query or (target.scheme, target.netloc) != (where.scheme, where.netloc):
            continue
        if not target.path.startswith(folder):
            continue
        name = target.path[len(folder) :]
        inner = name.removesuffix("/")
        if inner and "/" not in inner and "/" not in unquote(inner):
            names[unquote(name)] = None
    return list(names)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
