"""One of several processes that work on one store at the same time.

Reads its orders as one line of JSON, says that it is ready, waits for a line, and then runs. Its
answers are lines of JSON: what each call returned, or which error it raised, and how long it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Order = dict[str, Any]
Answer = dict[str, Any]


def race(store: str, folder: Path, orders: dict[str, list[Order]]) -> dict[str, list[Answer]]:
    """Run the orders of each person in a process of its own, all from the same moment on."""
    racers = {}
    for person, own in orders.items():
        racer = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.faults.racer"],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        racers[person] = racer
        assert racer.stdin is not None
        spec = {"store": store, "folder": str(folder), "person": person, "orders": own}
        racer.stdin.write(json.dumps(spec) + "\n")
        racer.stdin.flush()
    for racer in racers.values():
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers.values():
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = {}
    for person, racer in racers.items():
        out, _ = racer.communicate(timeout=240)
        assert racer.returncode == 0, person
        answers[person] = [json.loads(line) for line in out.splitlines()]
    return answers


def main() -> None:
    from datacat.errors import DatacatError
    from datacat.store import Store
    from tests.conftest import make_client

    spec = json.loads(sys.stdin.readline())
    client = make_client(Path(spec["folder"]), spec["person"], jobs=1)
    store = Store.open(spec["store"], client=client)
    store.ls()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for order in spec["orders"]:
        began = time.monotonic()
        try:
            answer = {"ok": run(store, order)}
        except DatacatError as error:
            answer = {"error": error.kind, "exit": error.exit_code, "text": text_of(error)}
        answer["seconds"] = time.monotonic() - began
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def text_of(error: Any) -> str:
    return "\n".join([error.message, error.hint or "", *error.commands])


def run(store: Any, order: Order) -> Any:
    match order["do"]:
        case "add":
            folder = Path(order["path"])
            for name, text in order.get("write", {}).items():
                folder.mkdir(exist_ok=True)
                (folder / name).write_text(text)
            result = store.add(folder, name=order.get("name"), force=order.get("force", False))
            return {"ref": result.version.ref, "created": result.created}
        case "pull":
            return store.pull(order["ref"], dest=order["dest"]).ref
        case "alias":
            change = store.alias(order["ref"], order["alias"])
            was = change.previous
            return {"now": change.ref, "was": was and was.ref, "was_by": was and was.set_by}
        case "rename":
            result = store.rename(order["old"], order["new"], force=True)
            return {"old": result.old, "new": result.new}
    raise ValueError(order)


def in_order(answers: Sequence[Answer]) -> list[Any]:
    """What the calls returned; fails when one of them failed."""
    failed = [answer for answer in answers if "ok" not in answer]
    assert not failed, failed
    return [answer["ok"] for answer in answers]


if __name__ == "__main__":
    main()
