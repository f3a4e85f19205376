"""One runner's two tiers, opened as the program does, with a disk that is passed in."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.disks import CountingDisk
from tests.support.machines import MACHINE
from wheelferry.disk import Disk, WorkDir, clock
from wheelferry.disk.clock import Deadline
from wheelferry.events import Sink, discard
from wheelferry.native.judge import Machine, Policy
from wheelferry.ops.limits import NO_LIMITS, Limits
from wheelferry.ops.promote import PromoteReport, apply_promote, plan_promote
from wheelferry.ops.pull import PullReport, apply_pull, plan_pull
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import VIEW, Tiers
from wheelferry.pack.writer import go_on
from wheelferry.store.base import Store
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.reading import Reads
from wheelferry.store.view import View

Wrap = Callable[[Store], Store]
NEVER = Deadline.never()


def make_store(root: Path) -> Path:
    """Make an empty store."""
    create_store(root, disk=Disk(), now_s=0.0)
    return root


def empty_store(root: Path) -> None:
    """Take everything out of a store but its directories."""
    for path in (*root.glob("objects/*/*"), *root.glob("catalog/*")):
        path.unlink()
    forget_runners(root)


def forget_runners(root: Path) -> None:
    """Remove what runners have in a store for themselves."""
    for path in root.glob("usage/*"):
        path.unlink()
    for path in root.glob("staging/*"):
        shutil.rmtree(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ferry:
    """A runner with a cache, its own state directory, and a store.

    Attributes:
        wrap: Put around the store before it is used.
        deadline: When work with the store has to be over.
        machine: What it has.
        native: Its `pull.native`.
    """

    cache: Path
    store: Path
    runner: str = "r1"
    emit: Sink = discard
    wrap: Wrap | None = None
    deadline: Deadline = NEVER
    machine: Machine = MACHINE
    native: Policy = Policy.CHECKED

    @property
    def state(self) -> Path:
        """Beside the cache, as by default."""
        return self.cache.with_name(f"{self.cache.name}.wheelferry")

    @property
    def rules(self) -> Rules:
        """Everything, as far as `native` lets it."""
        return Rules(native=self.native)

    @contextmanager
    def open(
        self, disk: Disk | None = None, *, reads: Reads | None = None
    ) -> Iterator[Tiers]:
        """Open both tiers; without a disk, on one that does not sync."""
        disk = disk or CountingDisk()
        posix = PosixStore(self.store, disk=disk, runner=self.runner, reads=reads)
        info = posix.open()
        with View.open(self.state / VIEW, store_id=info.id, disk=disk) as view:
            yield Tiers(
                cache=self.cache,
                state=self.state,
                store=self.wrap(posix) if self.wrap else posix,
                store_id=info.id,
                view=view,
                runner=self.runner,
                machine=self.machine,
                disk=disk,
                emit=self.emit,
                now=clock.now_s,
                deadline=self.deadline,
            )

    def promote(
        self,
        disk: Disk | None = None,
        *,
        reads: Reads | None = None,
        step: Callable[[], None] = go_on,
    ) -> PromoteReport:
        """Promote all that there is."""
        with self.open(disk, reads=reads) as tiers:
            return apply_promote(tiers, plan_promote(tiers, self.rules), step=step)

    def pull(
        self,
        formats: Sequence[str],
        disk: Disk | None = None,
        *,
        limits: Limits = NO_LIMITS,
        reads: Reads | None = None,
        is_background: bool = False,
    ) -> PullReport:
        """Pull all of these formats."""
        with self.open(disk, reads=reads) as tiers:
            plan = plan_pull(
                tiers, self.rules, formats, limits, is_background=is_background
            )
            return apply_pull(tiers, plan, limits)


def sweep_rest(ferry: Ferry) -> list[Path]:
    """Sweep the runner's staging as its next work does; return what stays there."""
    staging = ferry.state / "staging"
    with WorkDir.open(staging, disk=Disk()) as work:
        return [path for path in staging.iterdir() if path != work.path]
