"""One of several processes that claim the same slots: `python slots.py URL NAME COUNT`.

Says that it is ready, waits for a line, and then claims one slot after the other as a committer
does. Prints the numbers of those that it won.
"""

from __future__ import annotations

import sys

from datacat.backend import Created, open_backend


def main(url: str, name: str, count: int) -> None:
    backend = open_backend(url)
    backend.stat("ready")
    print("ready", flush=True)
    sys.stdin.readline()
    won = []
    for slot in range(count):
        key, data = f"catalog/log/0000000/{slot:020d}.json", f"{name} {slot}".encode()
        outcome = Created.UNKNOWN
        while outcome is Created.UNKNOWN:
            outcome = backend.create(key, data)
        if outcome is Created.CREATED:
            won.append(slot)
    print(*won)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
