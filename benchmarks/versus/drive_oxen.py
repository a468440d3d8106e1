"""Save and get versions with Oxen's library: it has no command on this platform's registry."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import oxen


def main() -> None:
    """Do `init`, `add` or `pull`, with what the environment says (see `versus/peer.py`)."""
    store, step = Path(os.environ["STORE"]), os.environ.get("STEP", "")
    if sys.argv[1] == "init":
        oxen.user.config_user("bench", "bench@example.org")
        oxen.Repo(".").init()
        (Path(".oxen")).rename(store / ".oxen")
        Path(".oxen").symlink_to(store / ".oxen")
        return
    if sys.argv[1] == "add":
        repository = oxen.Repo(".")
        repository.add(os.environ["FOLDER"])
        (store / step).write_text(repository.commit(step).id)
        return
    out = Path(os.environ["OUT"])
    out.mkdir()
    (out / ".oxen").symlink_to(store / ".oxen")
    os.chdir(out)
    oxen.Repo(".").restore(os.environ["FOLDER"], source=(store / step).read_text())


if __name__ == "__main__":
    main()
