"""Checks of this machine: versions, settings, who we are, and the cache."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

from datacat import sql
from datacat.maintenance.doctor.mounts import NETWORK, file_system_of
from datacat.maintenance.doctor.visit import Checks, Visit, fail, fine, note
from datacat.text import human_bytes

SHARED_ACCOUNTS = frozenset(
    {"jovyan", "root", "ubuntu", "ec2-user", "azureuser", "vscode", "user", "admin", "unknown"}
)
"""Accounts that many people have: nobody is known by one of them."""

MEASURING_SECONDS = 2.0
"""A cache of many files is not counted to its end."""

CACHE_FREE_BYTES_MIN = 1_000_000_000


def versions(visit: Visit) -> Checks:
    """What runs here."""
    program, python = visit.subject.client.program, platform.python_version()
    yield fine("versions", f"{program}, Python {python}, duckdb {sql.VERSION}")


def settings(visit: Visit) -> Checks:
    """What is odd about the files of settings."""
    for warning in visit.subject.warnings:
        yield note("settings", warning, "all settings:  datacat config")


def identity(visit: Visit) -> Checks:
    """Whether the team can tell who we are."""
    user = visit.subject.client.user
    if user == "jovyan" or (user in SHARED_ACCOUNTS and not visit.subject.user_given):
        everyone = "everyone on this hub" if user == "jovyan" else "everyone with this account"
        yield note(
            "identity",
            f"you are '{user}', like {everyone}",
            "set your name:  datacat config set user NAME",
        )
    else:
        yield fine("identity", f"you are '{user}' to your team")


def cache(visit: Visit) -> Checks:
    """Whether the cache can be used, where it is and how large."""
    folder = visit.subject.client.own_cache_dir
    another = "set another one:  datacat config set cache_dir /another/folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield fail("cache", f"the cache {folder} cannot be used: {reason}", another)
        return
    size, counted = _size_of(folder)
    shown = f"cache {folder}, {'' if counted else 'more than '}{human_bytes(size)}"
    kind = file_system_of(folder)
    if kind in NETWORK:
        slow = f"{shown}, is on a network drive ({kind}); a local one is faster"
        yield note("cache", slow, another)
    elif free < CACHE_FREE_BYTES_MIN:
        yield note("cache", f"{shown}, on a disk with only {human_bytes(free)} free", another)
    else:
        yield fine("cache", shown)


def _size_of(folder: Path) -> tuple[int, bool]:
    """Bytes of all files below `folder`, and whether that was all of them."""
    until = time.monotonic() + MEASURING_SECONDS
    size = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(top, name)).st_size
            except OSError:
                continue  # removed meanwhile
        if time.monotonic() > until:
            return size, False
    return size, True
