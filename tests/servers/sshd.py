"""OpenSSH's own sshd on loopback, with keys made for the test run."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.servers.shared import free_ports, need, shared_server

WITHOUT = "no OpenSSH server or no asyncssh (apt install openssh-server, pip install '.[sftp]')"


@dataclass(frozen=True)
class SshServer:
    """`home` is that of somebody who can log in; their `~/.ssh/config` calls the server `hub`."""

    port: int
    home: Path
    folder: Path


def ssh_server(factory: pytest.TempPathFactory) -> AbstractContextManager[SshServer]:
    """The SSH server of this test run. Skips where there is none."""
    return _running("sshd", factory, "")


def ssh_server_without_links(
    factory: pytest.TempPathFactory,
) -> AbstractContextManager[SshServer]:
    """One that makes no hard links."""
    return _running("sshd-no-links", factory, "-P hardlink")


@contextmanager
def _running(name: str, factory: pytest.TempPathFactory, options: str) -> Iterator[SshServer]:
    need(_sshd(), "asyncssh", without=WITHOUT)
    command = partial(_command, options=options)
    with shared_server(name, factory, command=command, is_ready=_is_ready) as facts:
        folder = Path(str(facts["folder"]))
        yield SshServer(int(str(facts["port"])), folder / "home", folder / "files")


def _sshd() -> str | None:
    return shutil.which("sshd", path=os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin")))


def _command(folder: Path, *, options: str) -> tuple[list[str], dict[str, object]]:
    import asyncssh

    (port,) = free_ports(1)
    ssh = folder / "home" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    (folder / "files").mkdir()
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    for key, path in ((host_key, folder / "host_key"), (user_key, ssh / "id_ed25519")):
        path.touch(mode=0o600)
        key.write_private_key(str(path))
    user_key.write_public_key(str(folder / "authorized_keys"))
    known = host_key.export_public_key().decode()
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}")
    (ssh / "config").write_text(
        f"Host hub\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
    )
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd wants it, as root
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host_key'}",
        f"PidFile {folder / 'pid'}",
        f"AuthorizedKeysFile {folder / 'authorized_keys'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin yes",
        "MaxStartups 100",
        f"Subsystem sftp internal-sftp {options}",
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    sshd = _sshd()
    assert sshd is not None
    command = [sshd, "-D", "-e", "-f", str(folder / "sshd_config")]
    return command, {"port": port, "folder": str(folder)}


def _is_ready(facts: Mapping[str, object]) -> bool:
    with closing(socket.socket()) as client:
        client.settimeout(2)
        return client.connect_ex(("127.0.0.1", int(str(facts["port"])))) == 0
