"""What a peer is: the commands that save a version and get it back."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Peer:
    """A tool that keeps versions, as shell commands.

    They run in the folder that holds what is saved, with these in the environment:

    * `FOLDER`: the name of the folder to save or to get, `data` in most workloads;
    * `STEP`: a name for this version, `v1` and so on, `PREVIOUS`: of the one before, or empty;
    * `REF`: what datacat calls this version, such as `data@v2`;
    * `STORE`: where everything is kept that others need to get it; its size is what is measured;
    * `OUT`: a folder that does not exist; `pull` leaves the files in `$OUT/$FOLDER`;
    * `DATACAT` and `VERSUS`: the command, and the folder of the scripts beside this file.

    `init` is not timed. `durable` says whether `add` waits until the data is on the disk.
    """

    name: str
    init: str
    add: str
    pull: str
    durable: bool
    note: str
    commands: tuple[str, ...] = ()
    library: str = ""
    version: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def missing(self, environment: dict[str, str]) -> str:
        """What would have to be installed first, or nothing."""
        path = environment.get("PATH")
        for command in self.commands:
            if shutil.which(command, path=path) is None:
                return command
        if self.library:
            found = subprocess.run(
                ["python", "-c", f"import {self.library}"], env=environment, capture_output=True
            )
            if found.returncode:
                return f"the Python library {self.library}"
        return ""

    def found_version(self, environment: dict[str, str]) -> str:
        """What its version command says, in one line."""
        said = subprocess.run(
            ["sh", "-c", self.version], env=environment, capture_output=True, text=True
        )
        lines = said.stdout.strip().splitlines()
        return lines[0] if lines else "unknown"
