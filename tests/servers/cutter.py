"""Between a client and any server: carries bytes, and breaks the connection or falls silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cutter:
    """Listens on `port` for the server on `upstream`. Each of `after` cuts one connection, in
    order, when so many bytes came from the client; later connections are left alone."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.after: list[int] = []
        self.cuts = 0

    @contextmanager
    def running(self) -> Iterator[Cutter]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._upstream))
            limit = self.after.pop(0) if self.after else None
            for source, target, most in ((client, server, limit), (server, client, None)):
                threading.Thread(
                    target=self._carry, args=(source, target, most), daemon=True
                ).start()

    def _carry(self, source: socket.socket, target: socket.socket, most: int | None) -> None:
        carried = 0
        with suppress(OSError):
            while data := source.recv(65_536):
                carried += len(data)
                if most is not None and carried > most:
                    self.cuts += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Silenced:
    """Listens on `port` for the server on `upstream`, and says nothing more on a connection once
    the client has sent something with `after` in it."""

    def __init__(self, upstream: int, *, after: bytes) -> None:
        self._upstream = upstream
        self._after = after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.silent = threading.Event()

    @contextmanager
    def running(self) -> Iterator[Silenced]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            for end in (self._listener, *self._open):
                end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._open += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self._after in data:
                    self.silent.set()
                    return
                target.sendall(data)
