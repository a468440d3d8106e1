"""A web server on loopback that serves a folder: with ranges and ETags, or without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.servers.in_thread import in_thread

Choose = Callable[[web.Request], int | None]
"""A status to answer with instead."""


@dataclass(frozen=True)
class Asked:
    """One request: the path with its query, and the range of bytes."""

    target: str
    range: str | None


class WebServer:
    """`url` leads to the folder. With `plain` it knows no ranges and no ETags, and with `endless`
    it does not say how long a file is either. `token` must be in the query, if it is set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.asked: list[Asked] = []
        self.plain = False
        self.endless = False
        self.token = ""
        self.choose: Choose = lambda request: None

    def read(self, part: str = "") -> list[Asked]:
        """The requests for bytes of what has `part` in its path, but for looks at the first one."""
        return [a for a in self.asked if part in a.target and a.range != "bytes=0-0"]

    @contextmanager
    def running(self) -> Iterator[WebServer]:
        with in_thread(self._listening()):
            yield self

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        app = web.Application(middlewares=[self._watch])
        app.router.add_static("/data", self.folder, show_index=True)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/data"
        yield
        await runner.cleanup()

    @web.middleware
    async def _watch(
        self,
        request: web.Request,
        handler: Callable[[web.Request], object],
    ) -> web.StreamResponse:
        self.asked.append(Asked(request.path_qs, request.headers.get("Range")))
        if (status := self.choose(request)) is not None:
            return web.Response(status=status)
        if self.token and request.query.get("token") != self.token:
            return web.Response(status=403)
        path = self.folder / request.path.removeprefix("/data/")
        if path.is_dir() and not request.path.endswith("/"):
            raise web.HTTPMovedPermanently(f"{request.rel_url.raw_path}/")
        if (self.plain or self.endless) and path.is_file():
            response = web.StreamResponse()
            if self.endless:
                response.enable_chunked_encoding()
            else:
                response.content_length = path.stat().st_size
            await response.prepare(request)
            for start in range(0, path.stat().st_size, 1 << 20):
                await response.write(path.read_bytes()[start : start + (1 << 20)])
            await response.write_eof()
            return response
        return await handler(request)  # type: ignore[misc,no-any-return]
