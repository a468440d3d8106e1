"""`datacat doctor`: check this machine and the store, and say how to fix what is wrong."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
Works also when nothing else does. Writes nothing but probes that it removes. --fix removes what is
your own and certainly left over: abandoned temporary files, and working copies that are registered
and gone. Returns 1 when something has to be mended.
"""
EXAMPLES = (("datacat doctor", "what is wrong, and what to do"),)


@click.command(cls=Command, name="doctor", about=ABOUT, examples=EXAMPLES)
@click.option("--fix", is_flag=True, help="Do what is safe, and say what was done.")
@click.pass_obj
def command(run: Invocation, *, fix: bool) -> int:
    from datacat.front import doctor_with
    from datacat.render import shapes
    from datacat.render.doctor import print_diagnosis

    diagnosis = doctor_with(run.settings, fix=fix)
    if run.screen.json:
        run.screen.document(shapes.diagnosis(diagnosis))
    else:
        print_diagnosis(run.screen, diagnosis)
    return 0 if diagnosis.ok else 1
