"""Keep one server for all processes of a test run, and end it when the last of them has ended.

`python keeper.py ALIVE COMMAND...` runs the command until nobody holds a shared lock on the file
ALIVE any more: a lock goes with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys


def main(alive: str, command: list[str]) -> None:
    server = subprocess.Popen(command, start_new_session=True)
    with open(alive, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
