"""The program on a share that stops to answer, or with eyes on which process touches it.

`python -m tests.support.frozen freeze PART ARGUMENT...` runs the command line in which
any other process of it than the first stops, as if its system call never returned, when
it opens, lists, makes or renames something with PART in its path.  A stopped process is
as deaf as one that hangs in a dead mount, and dies of SIGKILL as that does.

`... watch PART ARGUMENT...` ends with 99 if the first process looks at such a path.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

LOOKS = ("stat", "lstat", "access", "readlink", "statvfs")
"""Calls of `os` on a path of which Python tells no audit hook."""


def main() -> None:
    """Run the rest of the command line."""
    kind, part = sys.argv[1:3]
    del sys.argv[1:3]
    first = os.getpid()

    def is_meant(path: object) -> bool:
        # A name alone is opened in a directory that is open: which one is not told.
        return part in str(path) or part.rstrip("/").endswith(f"/{path}")

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event != "open" and not event.startswith("os."):
            return
        is_first = os.getpid() == first
        if not any(map(is_meant, args[:2])):
            return
        if kind == "freeze" and not is_first:
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)  # the signal stops each thread a moment later
        if kind == "watch" and is_first:
            os.write(2, f"{event}{args}\n".encode())
            os._exit(99)

    def seen(name: str) -> Callable[..., Any]:
        call = getattr(os, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            look(f"os.{name}", args)
            return call(*args, **kwargs)

        return wrapped

    for name in LOOKS if kind == "watch" else ():
        setattr(os, name, seen(name))
    sys.addaudithook(look)
    from wheelferry.cli.app import main

    main()


if __name__ == "__main__":
    main()
