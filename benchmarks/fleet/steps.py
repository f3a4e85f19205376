"""Run the steps of a job one after the other, until one fails, and say what each took.

Runs alone, on the runner, with nothing but the standard library.  The argument is a JSON list
of `{"name": ..., "argv": [...]}`; the output is one like it, with exit codes, seconds,
bytes of resident memory at most, and what was written.

A process counts as no smaller than what started it: this program is kept small.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any


def run(argv: list[str]) -> dict[str, Any]:
    """Run a command to its end; return what became of it."""
    with tempfile.TemporaryFile() as output:
        start_s = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        elapsed_s = time.perf_counter() - start_s
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return {
        "exit": process.returncode,
        "elapsed_s": elapsed_s,
        "peak_bytes": usage.ru_maxrss * 1024,
        "text": text,
    }


def main() -> None:
    """Do what the command line says."""
    done = []
    for step in json.loads(sys.argv[1]):
        done.append({"name": step["name"], **run(step["argv"])})
        if done[-1]["exit"]:
            break
    json.dump(done, sys.stdout)


if __name__ == "__main__":
    main()
