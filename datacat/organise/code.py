"""The Git state of a folder, for the record of an output: which code made it."""

from __future__ import annotations

import os
import subprocess
import time
from urllib.parse import urlsplit, urlunsplit

from datacat.model import Code

SECONDS_MAX = 2.0
"""A repository on a slow drive must not hold up an add."""


def describe(folder: str) -> Code | None:
    """The commit of `folder`, or None without Git, repository or commit.

    When there is no time to look at every file, the state counts as changed: it is not known to
    be clean. Credentials in the remote's address are left out.
    """
    deadline = time.monotonic() + SECONDS_MAX
    commit = _git(folder, deadline, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    remote = _git(folder, deadline, "remote", "get-url", "origin")
    top = _git(folder, deadline, "rev-parse", "--show-toplevel")
    changed = _git(folder, deadline, "status", "--porcelain", "--untracked-files=no")
    return Code(
        repo=without_credentials(remote) if remote else os.path.basename(top or folder),
        commit=commit,
        dirty=changed is None or bool(changed),
    )


def _git(folder: str, deadline: float, *arguments: str) -> str | None:
    """What git prints; None when it fails, is not there, or time is up."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max(0.05, deadline - time.monotonic()),
            check=False,
            # No lock in a repository that is only looked at, and English output.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def without_credentials(remote: str) -> str:
    """`https://token@host/team/seg.git?x=y` as `https://host/team/seg.git`.

    `git@host:team/seg.git` stays: that user name is no secret.
    """
    if "://" not in remote:
        return remote
    try:
        parts = urlsplit(remote)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))
