"""Let atheris look for inputs that a parser neither takes nor refuses, guided by the code it runs.

    python -m tests.fuzz [PARSER...] [--seconds 60]
    python -m tests.fuzz try PARSER FILE

Without names each parser has that many seconds, one after the other. What breaks one is kept in
build/fuzz; the second form tries it again. Needs atheris: pip install atheris.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

KEPT = Path(__file__).parents[2] / "build" / "fuzz"
INPUT_BYTES_MAX = 4096


def fuzz(name: str, seconds: int) -> None:
    """In this process, until the time is over. Ends the process."""
    import atheris

    watched = ["datacat", "recover_log", "json"]
    with atheris.instrument_imports(include=watched, enable_loader_override=False):
        from tests.fuzz.parsers import BY_NAME
    parser = BY_NAME[name]
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}", "-timeout=10"]
    options += [f"-artifact_prefix={KEPT}/{name}-", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], parser.try_on)
    atheris.Fuzz()


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    given.add_argument("names", nargs="*")
    given.add_argument("--seconds", type=int, default=60)
    given.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = given.parse_args()
    if asked.names[:1] == ["try"]:
        from tests.fuzz.parsers import BY_NAME

        BY_NAME[asked.names[1]].try_on(Path(asked.names[2]).read_bytes())
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("skipped: atheris is not installed (pip install atheris)")
        return 0
    if asked.here:
        fuzz(asked.names[0], asked.seconds)
    from tests.fuzz.parsers import PARSERS

    failed, total = 0, 0
    print("| Parser | Inputs | Wrong |\n|---|---|---|")
    for name in asked.names or [one.name for one in PARSERS]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", name, "--here", "--seconds", str(asked.seconds)],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        found = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        inputs = int(found[1]) if found else 0
        print(f"| {name} | {inputs:,} | {int(done.returncode != 0)} |", flush=True)
        if done.returncode:
            print(done.stderr[-3000:], file=sys.stderr)
        failed += done.returncode != 0
        total += inputs
    print(f"| all | {total:,} | {failed} |")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
