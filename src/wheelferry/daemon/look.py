"""Look at the store again and again, and say what is seen: a program of its own.

    python -I -S look.py DIRECTORY SECONDS

It does what may hang on a dead share, so that the daemon need not, and is killed when it
says nothing for too long.  It loads nothing but the standard library, and little of that:
it runs for as long as the daemon does.  A listing costs two RPCs when nothing changed;
opening the directory makes the client ask the server whether anything did.

A line per look: `seen NUMBER CHECKSUM` of the names in the directory, or `away MESSAGE`.
It ends when its stdin is closed, also while it hangs: then the daemon is gone.
"""

import fcntl
import itertools
import os
import select
import signal
import sys
import time
import zlib

MAX_NAMES = 1 << 20
"""As in `store.reading`."""


def look(directory: str) -> str:
    """Return the line that says what is there now."""
    try:
        with os.scandir(directory) as found:
            names = [entry.name for entry in itertools.islice(found, MAX_NAMES + 1)]
    except OSError as exc:
        return f"away {exc.strerror or exc}"
    if len(names) > MAX_NAMES:
        return f"away it has more than {MAX_NAMES} names"
    checksum = zlib.crc32("\0".join(sorted(names)).encode(errors="surrogateescape"))
    return f"seen {len(names)} {checksum:08x}"


def end_with(fd: int) -> None:
    """Have the kernel end this process when the other end of a pipe is closed."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    hangup = select.poll()
    hangup.register(fd, 0)
    if hangup.poll(0):
        os._exit(0)


def main() -> None:
    """Look until nobody listens."""
    directory, seconds = sys.argv[1], float(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(0)
    while True:
        os.write(1, look(directory).encode() + b"\n")
        time.sleep(seconds)


if __name__ == "__main__":
    main()
