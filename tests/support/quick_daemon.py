"""A daemon as `wheelferry daemon` makes it, but for its runs, which do nothing: a program.

A run of a real task takes a third of a second, and hundreds are wanted.  All is told by
the environment, as `tests.support.daemons` sets it.  Each SIGHUP brings new settings.
"""

import itertools
import os
import sys
from pathlib import Path

from wheelferry.daemon.loop import Daemon, Manager
from wheelferry.daemon.notify import Notifier
from wheelferry.daemon.schedule import Task
from wheelferry.daemon.shift import Settings
from wheelferry.disk import Disk
from wheelferry.events import Event

RUN = """
cat > /dev/null
echo '{"type": "note", "level": "info", "message": "so it goes"}'
echo '{"type": "summary", "text": "ran", "promoted": 1, "restored": 1}'
"""


def main() -> None:
    cache, store = (
        Path(os.environ[name]) for name in ("UV_CACHE_DIR", "WHEELFERRY_STORE_PATH")
    )
    payloads = (str(number).encode() for number in itertools.count())

    def load() -> Settings:
        return Settings(
            cache=cache,
            state=Path(f"{cache}.wheelferry"),
            store=store,
            runner="r1",
            catalog=store / "catalog",
            tasks=frozenset((Task.PROMOTE, Task.PULL)),
            poll_s=0.1,
            rescan_s=600.0,
            gc_s=3600.0,
            timeout_s=60.0,
            job_argv=("/bin/sh", "-c", RUN),
            payload=next(payloads),
        )

    def emit(event: Event) -> None:
        print(event.message, file=sys.stderr, flush=True)

    manager = Manager(Notifier(os.environ["NOTIFY_SOCKET"]), watchdog_s=1.0)
    Daemon(load(), reload=load, emit=emit, manager=manager, disk=Disk()).run()


if __name__ == "__main__":
    main()
