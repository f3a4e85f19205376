"""A pull in a process of its own, which tells each pack that it opens and can be held.

`python -m tests.support.puller JOB`, a line of JSON; `Puller` runs it.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Self

from tests.support.tiers import Ferry
from wheelferry.disk.clock import Deadline
from wheelferry.events import Event
from wheelferry.ops import restoration
from wheelferry.store.base import Store
from wheelferry.store.record import Digest

_ROOT = Path(__file__).parents[2]


class Puller:
    """The process; the end of the `with` block ends it.

    Each batch of it is one pack.

    Args:
        ferry: Whose cache it pulls into.
        formats: What it pulls.
        is_held: Whether it stops before it reads a pack, until it is let `go`.
        deadline_s: How long it may take.
    """

    def __init__(
        self,
        ferry: Ferry,
        formats: Sequence[str],
        *,
        is_held: bool = False,
        deadline_s: float = 60,
    ) -> None:
        self._job = {
            "cache": str(ferry.cache),
            "store": str(ferry.store),
            "runner": ferry.runner,
            "formats": formats,
            "is_held": is_held,
            "deadline_s": deadline_s,
        }
        self.opened: list[str] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.puller", json.dumps(self._job)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)

    def read_until(self, kind: str) -> Mapping[str, Any]:
        """Return the next line of that kind: `open`, `done` or the name of an event."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said: dict[str, Any] = json.loads(line)
            if said["kind"] == "open":
                self.opened.append(said["pack"])
            if said["kind"] == kind:
                return said
        raise AssertionError(f"it ended without {kind}")

    def go(self) -> None:
        """Let it read all packs."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None


class _Telling:
    """A store that tells which objects are opened, and waits for the end of stdin."""

    def __init__(self, inner: Store, stdin: IO[str] | None) -> None:
        self._inner = inner
        self._stdin = stdin
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def open_object(self, digest: Digest) -> BinaryIO | None:
        _say("open", pack=digest)
        if self._stdin is not None:
            with self._lock:
                self._stdin.read()
        return self._inner.open_object(digest)


def _say(kind: str, **more: object) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **more}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the job and tell how it went."""
    job = json.loads(sys.argv[1])
    restoration.BATCH_BYTES = 1
    stdin = sys.stdin if job["is_held"] else None

    def wrap(inner: Store) -> Store:
        return _Telling(inner, stdin)  # type: ignore[return-value]

    def emit(event: Event) -> None:
        _say(event.name, message=event.message)

    report = Ferry(
        cache=Path(job["cache"]),
        store=Path(job["store"]),
        runner=job["runner"],
        emit=emit,
        wrap=wrap,
        deadline=Deadline.after(job["deadline_s"]),
    ).pull(job["formats"])
    _say(
        "done",
        restored=len(report.restored),
        present_meanwhile=report.present_meanwhile,
        late=report.late,
        failed=[left.reason for left in report.failed],
        bytes_read=report.bytes_read,
    )


if __name__ == "__main__":
    main()
