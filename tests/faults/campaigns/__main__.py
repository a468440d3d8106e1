"""Run tests with more effort, keep what they counted, and write the table of docs/guarantees.md.

    python -m tests.faults.campaigns [damage] [hostile] [mutated] [killed] [--effort N]

Without a name it only writes the table, from `ran.jsonl` beside this file. The campaigns that are
commands of their own (`make faults`, `make power`, `make simulate`, `make soak`) add to that file
with `--keep NAME`.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.faults.campaigns import reached
from tests.faults.campaigns.counted import SUITES, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaigns", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SUITES, []])
    parser.add_argument("--effort", help="instead of what each needs to reach its number")
    given, more = parser.parse_known_args()
    code = 0
    for name in given.names:
        effort = given.effort or SUITES[name][0]
        os.environ["DATACAT_TEST_EFFORT"] = effort
        # Tests read it when they are imported: a process for each.
        child = os.fork()
        if child == 0:
            os._exit(run(name, effort=effort, more=more))
        code |= os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    reached.write()
    return code


if __name__ == "__main__":
    sys.exit(main())
