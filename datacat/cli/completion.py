"""`datacat completion`: the script that teaches a shell to complete our commands."""

from __future__ import annotations

import os
import sys

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation
from datacat.errors import InvalidInput

SHELLS = ("bash", "zsh", "fish", "powershell")
ABOUT = """\
Completes commands, options, dataset names, versions and aliases behind @, tags, owners, and files
behind / of versions that were listed. Without a name it is the shell of $SHELL.

Put the line of your shell into its start file:

\b
bash        eval "$(datacat completion bash)"            ~/.bashrc
zsh         eval "$(datacat completion zsh)"             ~/.zshrc
fish        datacat completion fish | source             config.fish
powershell  datacat completion powershell | Out-String | Invoke-Expression
                                                         $PROFILE
"""


@click.command(cls=Command, name="completion", about=ABOUT)
@click.argument("shell", required=False, metavar="[bash|zsh|fish|powershell]")
@click.pass_obj
def command(run: Invocation, *, shell: str | None) -> None:
    from datacat.cli.complete import script

    wanted = shell or os.path.basename(run.surroundings.environment.get("SHELL", ""))
    if wanted not in SHELLS:
        raise InvalidInput(
            f"no completion for the shell '{wanted[:80]}'" if wanted else "which shell?",
            kind="usage",
            hint=f"Known: {', '.join(SHELLS)}.",
            commands=["datacat completion --help"],
        )
    text = script(wanted)
    if run.given.json:
        run.screen.document({"shell": wanted, "script": text})
    else:
        sys.stdout.write(text)
