"""One connection to an SSH server, for all threads; made anew when it broke.

Everything that is not in the URL comes from where the ssh command looks: `~/.ssh/config` (host,
user, port, key, jump host), the agent, and `known_hosts`. Nobody is ever asked for a password, and
a server whose host key nobody vouched for is not talked to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from datacat.address import Address
from datacat.backend.sftp_errors import (
    EXPECTED,
    breaks_connection,
    host_key_error,
    storage_error,
)
from datacat.errors import DatacatError, InvalidInput

CONNECT_SECONDS = 15
ANSWER_SECONDS = 30
"""A call may take so long, and the time that its bytes take at the speed below."""

SLOWEST_BYTES_PER_SECOND = 128 * 1024
ALIVE_SECONDS = 10
"""How often a silent connection is tried; two tries without an answer end it."""


class SftpSession:
    """A lazy connection to the server of `address`. Used on one event loop only."""

    def __init__(self, address: Address, url: str) -> None:
        self._url = url
        self._user = address.user
        self.host, self._port = _host_and_port(address.host)
        self._connecting = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    @asynccontextmanager
    async def asking(self, key: str, size_bytes: int = 0) -> AsyncIterator[asyncssh.SFTPClient]:
        """The client for a few calls about `key`, which move so many bytes.

        Inside, errors of SFTP can be caught; those that are not become those of the library.
        """
        seconds = ANSWER_SECONDS + size_bytes / SLOWEST_BYTES_PER_SECOND
        client: asyncssh.SFTPClient | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS + seconds):
                client = await self._connected()
                yield client
        except DatacatError:
            raise
        except asyncssh.HostKeyNotVerifiable:
            raise host_key_error(self.host, known=self._is_known()) from None
        except EXPECTED as error:
            if breaks_connection(error):
                self._drop(client)
            raise storage_error(error, url=self._url, key=key) from None

    async def _connected(self) -> asyncssh.SFTPClient:
        async with self._connecting:
            if self._client is None:
                options: dict[str, Any] = {"port": self._port} if self._port else {}
                if self._user:
                    options["username"] = self._user
                self._connection = await asyncssh.connect(
                    self.host,
                    connect_timeout=CONNECT_SECONDS,
                    login_timeout=CONNECT_SECONDS,
                    keepalive_interval=ALIVE_SECONDS,
                    keepalive_count_max=2,
                    **options,
                )
                self._client = await self._connection.start_sftp_client()
            return self._client

    def _drop(self, client: asyncssh.SFTPClient | None) -> None:
        """Give up the connection of `client`, unless another call did so before."""
        if client is not None and client is self._client:
            connection, self._connection, self._client = self._connection, None, None
            if connection is not None:
                connection.abort()

    def _is_known(self) -> bool:
        """Whether the user's `known_hosts` has any key for the host."""
        from pathlib import Path

        try:
            known = asyncssh.read_known_hosts(str(Path("~/.ssh/known_hosts").expanduser()))
            port = {"port": self._port} if self._port else {}
            meant = asyncssh.SSHClientConnectionOptions(host=self.host, config=(), **port)
        except (OSError, ValueError, asyncssh.Error):
            return False
        keys, *_ = known.match(meant.host, "", meant.port)
        return bool(keys)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """`host`, `host:22`, `[::1]:22` in parts. Raises `InvalidInput`."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority.strip("[]"), None
    if not (port.isdecimal() and 0 < int(port) < 65_536):
        raise InvalidInput("the URL of the store has a port that is no port", kind="bad_store_url")
    return host.strip("[]"), int(port)
