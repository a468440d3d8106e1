"""Run steps on a store as another user of this machine: really with that user's id and groups.

Reads JSON from standard input, writes JSON to standard output. Started as root, it does every kind
of step once on a scratch store, so that all modules are loaded, and then becomes the other user
for good: the interpreter itself may lie where that user cannot read.
"""

from __future__ import annotations

import grp  # noqa: F401 - loaded before the modules cannot be read any more
import json
import os
import pwd  # noqa: F401
import sys
import tempfile
from pathlib import Path
from typing import Any

from datacat.errors import DatacatError
from datacat.opened import Client
from datacat.store import Store


def run(steps: list[list[Any]], *, user: str, cache: Path) -> list[dict[str, Any]]:
    """The result of each step; an error ends only its own step."""
    results: list[dict[str, Any]] = []
    client = Client(user=user, host="hub", cache_dir=cache, jobs=2)
    for verb, *arguments in steps:
        try:
            results.append({"ok": step(verb, arguments, client)})
        except DatacatError as error:
            results.append({"kind": error.kind, "exit": error.exit_code, "message": error.message})
    return results


def step(verb: str, arguments: list[Any], client: Client) -> Any:
    """One verb of the library, or a file to write."""
    if verb == "write":
        path, text = arguments
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
        return None
    if verb == "create":
        return Store.create(arguments[0], client=client).info.name
    with Store.open(arguments[0], client=client) as store:
        match verb:
            case "ls":
                return [dataset.latest for dataset in store.ls().datasets]
            case "add":
                return store.add(arguments[1], name="cmr", message="m").version.ref
            case "pull":
                options = {"link": arguments[3]} if len(arguments) > 3 else {}
                pulled = store.pull(arguments[1], dest=arguments[2], **options)
                return [pulled.files, pulled.linked]
            case "look":
                store.show("cmr")
                store.log()
                store.log("cmr")
                store.diff("cmr@v1", "cmr")
                return all(result.ok for result in store.verify(everything=True))
            case "status":
                return store.status([arguments[1]])[0].state
    raise ValueError(verb)


def warm_up() -> None:
    """Load every module that a step needs."""
    with tempfile.TemporaryDirectory() as folder:
        store, data = f"{folder}/store", f"{folder}/data"
        steps = [
            ["create", store],
            ["write", f"{data}/a.txt", "a"],
            ["write", f"{data}/large.txt", "a" * 300_000],
            ["add", store, data],
            ["write", f"{data}/b.txt", "b"],
            ["add", store, data],
            ["pull", store, "cmr@v1", f"{folder}/pulled"],
            ["status", store, f"{folder}/pulled"],
            ["look", store],
            ["ls", store],
            ["pull", store, "nothing", folder],
        ]
        failed = [
            result for result in run(steps, user="warm", cache=Path(folder)) if "ok" not in result
        ]
        assert len(failed) == 1, failed


def main() -> None:
    asked = json.load(sys.stdin)
    warm_up()
    os.umask(int(asked["umask"], 8))
    os.setgroups(asked["groups"])
    os.setresgid(asked["gid"], asked["gid"], asked["gid"])
    os.setresuid(asked["uid"], asked["uid"], asked["uid"])
    os.environ["TMPDIR"] = tempfile.tempdir = asked["home"]
    os.environ["HOME"] = asked["home"]
    os.chdir(asked["home"])
    json.dump(run(asked["steps"], user=asked["user"], cache=Path(asked["cache"])), sys.stdout)


if __name__ == "__main__":
    main()
