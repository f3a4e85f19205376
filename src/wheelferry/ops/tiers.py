"""The two tiers an operation works between, and what it needs to work."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wheelferry.disk import Disk
from wheelferry.disk.clock import Deadline
from wheelferry.events import Event, Level, Sink
from wheelferry.native.judge import Machine
from wheelferry.store.base import Store
from wheelferry.store.view import Refresh, View

if TYPE_CHECKING:
    from wheelferry.ops.bans import Bans

STAGING = "staging"
VIEW = "view.sqlite"
USED = "usage-written"
COLLECTED = "gc-looked"
UV_VERSIONS = "uv-versions.msgpack"
LIBRARIES = "libraries.msgpack"
PYTHONS = "pythons.msgpack"


def find_bans(tiers: "Tiers") -> "Bans | None":
    """Return what an admin has forbidden, or None: mostly nothing is."""
    bans = tiers.view.bans()
    if not bans:
        return None
    from wheelferry.ops.bans import Bans  # noqa: PLC0415

    return Bans((name, version) for name, version, _ in bans)


class Tiers(NamedTuple):
    """One runner's cache and the store it shares.

    Attributes:
        cache: Root of the local uv cache; may not exist yet.
        state: The runner's own directory for staging, spool and view: on the cache's
            filesystem, outside the cache root (uv prunes what it does not know there).
        store: The store, opened: its identity has been checked.
        store_id: That identity.
        view: The runner's view of the store's catalog.
        runner: Name of this runner, as it appears in the store.
        machine: What natively built wheels find here.
        disk: What changes the disk.
        emit: Where facts go.
        now: This host's clock, in seconds since the epoch.
        deadline: When work with the store has to be over.
    """

    cache: Path
    state: Path
    store: Store
    store_id: str
    view: View
    runner: str
    machine: Machine
    disk: Disk
    emit: Sink
    now: Callable[[], float]
    deadline: Deadline = Deadline.never()

    @property
    def staging(self) -> Path:
        """Where processes of this runner keep temporary files: `WorkDir`s."""
        return self.state / STAGING

    def refresh(self, names: Collection[str] | None = None) -> int:
        """Bring the view up to date; return how many segments could not be read.

        If `names` are given, other packages are of no interest: see `View.refresh`.  Each of them is reported too, and a view that another process keeps busy.
        """
        return self.tell(self.view.refresh(self.store, names))

    def tell(self, result: Refresh) -> int:
        """Report what a refresh left out; return how many segments."""
        if result.deferred:
            self.emit(
                Event(
                    name="refresh.deferred",
                    message="another process is busy with this runner's view of the"
                    " catalog; what is new there is left for the next run",
                )
            )
        for segment, message in result.bad:
            self.emit(
                Event(
                    name="segment.refused",
                    level=Level.WARNING,
                    message=f"segment {segment[:12]} of the catalog is left out: {message}",
                    fields={"segment": segment, "reason": message},
                )
            )
        return len(result.bad)
