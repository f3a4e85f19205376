"""The program's beginning and its end: the switch, the errors, the exit code.

Starting up is paid before every job, so the order of imports is deliberate: the switch is
looked at before click is loaded, and click before a command's own modules.
"""

import sys
from collections.abc import Mapping, Sequence

from wheelferry.cli.words import find_words, is_fail_open
from wheelferry.config import environment

_STILL_RUN = frozenset({"--version", "--help", "-h"})


def main() -> None:
    """Run the command line and leave the process; the console script's entry point.

    Two measured shortcuts, 9 of 64 ms for a `pull` with nothing to do: no garbage is
    looked for while modules load (they make none), and the interpreter is not taken
    apart at the end (all that matters is closed and flushed before).

    What even `run` cannot deal with, such as no memory left, harms no job either.
    """
    import gc
    import os

    gc.set_threshold(50_000, 20, 20)
    argv = sys.argv[1:]
    try:
        code = run(argv, environment.read_environ())
    except Exception:
        if not is_fail_open(argv):
            raise
        code = 0
    os._exit(code)


def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    system_file: str = environment.SYSTEM_FILE,
) -> int:
    """Run one command line and return its exit code; whatever happens is shown."""
    if environment.is_disabled(environ) and not _is_harmless(argv):
        _say(f"nothing done: {environment.DISABLE} is set\n")
        return 0
    if "_WHEELFERRY_COMPLETE" in environ:
        return _complete()
    from wheelferry.disk import clock

    started_s = clock.monotonic_s()
    from wheelferry.cli.output import standard_streams
    from wheelferry.cli.session import Process

    stdout, stderr = standard_streams()
    process = Process(
        environ=environ,
        system_file=system_file,
        stdout=stdout,
        stderr=stderr,
        started_s=started_s,
    )
    from wheelferry.cli.failure import run_guarded

    return run_guarded(argv, process)


def _is_harmless(argv: Sequence[str]) -> bool:
    is_show = find_words(argv)[:2] == ["config", "show"]
    return is_show or not _STILL_RUN.isdisjoint(argv)


def _say(text: str) -> None:
    """Write to stderr, if there is one and it takes anything."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
    except OSError:
        pass  # there is nobody to be told


def _complete() -> int:
    """Answer a shell that asks for completions."""
    from wheelferry.cli.group import GROUP

    code = GROUP.main([], prog_name="wheelferry", standalone_mode=False)
    sys.stdout.flush()
    return code if isinstance(code, int) else 0
