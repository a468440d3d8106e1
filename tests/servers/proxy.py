"""Between a client and an HTTP server: counts requests, and answers some of them as it likes.

A fault is `"reset"` (the connection breaks before the server sees anything), `"lost"` (the server
does its work and nobody hears of it), `"hang"` (no answer at all), `"cut"` (half of the answer), or
a status with a code of S3, such as `(503, "SlowDown")`, that the server never knows of.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.servers.in_thread import in_thread

Fault = str | tuple[int, str] | None


@dataclass(frozen=True)
class Request:
    """What was asked, how many bytes went each way, and whether the server saw it."""

    method: str
    target: str
    sent: int
    received: int
    fault: Fault

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


class Proxy:
    """`endpoint` leads to the server at `upstream`. `choose(method, target)` gives a fault."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self.endpoint = ""
        self.requests: list[Request] = []
        self.choose: Callable[[str, str], Fault] = lambda method, target: None
        self.look: Callable[[Mapping[str, str], bytes], None] = lambda headers, body: None
        """Is shown the headers, with small letters, and the body of each request."""
        self.hanging = threading.Event()

    def counted(self, method: str, part: str = "") -> int:
        """How many requests of a method had `part` in what they asked for."""
        return sum(r.method == method and part in r.target for r in self.requests)

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        with in_thread(self._listening()):
            yield self

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield
        server.close()  # and nobody is waited for: some of its requests hang on purpose

    async def _serve(self, client: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
        server: asyncio.StreamReader | None = None
        ask: asyncio.StreamWriter | None = None
        try:
            while True:
                head = await client.readuntil(b"\r\n\r\n")
                method, target, headers = _parsed(head)
                if "expect" in headers:
                    reply.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    lines = head.split(b"\r\n")
                    kept = [line for line in lines if not line.lower().startswith(b"expect:")]
                    head = b"\r\n".join(kept)
                body = await client.readexactly(int(headers.get("content-length", "0")))
                self.look(headers, body)
                fault = self.choose(method, target)
                if isinstance(fault, tuple):
                    answer = _refusal(*fault, with_body=method != "HEAD")
                elif fault in ("reset", "hang"):
                    answer = b""
                else:
                    if ask is None or server is None:
                        server, ask = await asyncio.open_connection(*self._upstream, limit=1 << 20)
                    ask.write(head + body)
                    await ask.drain()
                    answer = await _answer(server, method)
                self.requests.append(Request(method, target, len(body), len(answer), fault))
                if fault == "hang":
                    self.hanging.set()
                    await asyncio.sleep(3600)
                if fault in ("reset", "lost"):
                    return
                reply.write(answer[: len(answer) // 2] if fault == "cut" else answer)
                await reply.drain()
                if fault == "cut":
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client, or the test, is done
        finally:
            for writer in (reply, ask):
                if writer is not None:
                    writer.close()
                    with suppress(ConnectionError):
                        await writer.wait_closed()


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    fields = (line.partition(":") for line in lines if line)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in fields}


async def _answer(server: asyncio.StreamReader, method: str) -> bytes:
    head = await server.readuntil(b"\r\n\r\n")
    while head.split(b" ", 2)[1] == b"100":
        head = await server.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    if method == "HEAD" or status in (204, 304):
        return head
    if headers.get("transfer-encoding") == "chunked":
        parts = [head]
        while True:
            size = await server.readuntil(b"\r\n")
            parts += [size, await server.readexactly(int(size, 16) + 2)]
            if int(size, 16) == 0:
                return b"".join(parts)
    return head + await server.readexactly(int(headers.get("content-length", "0")))


def _refusal(status: int, code: str, *, with_body: bool) -> bytes:
    if status < 300:
        return f'HTTP/1.1 {status} Yes\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n'.encode()
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    body = text if with_body else b""
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
