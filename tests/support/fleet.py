"""Runners that share a store: promote and pull, as functions or as the program."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.runner import Runner
from tests.support.uvs import Uv
from wheelferry.disk import Disk, clock
from wheelferry.events import Event, Level
from wheelferry.native.judge import Machine
from wheelferry.native.machine import read_machine
from wheelferry.ops.formats import find_formats
from wheelferry.ops.left import Left
from wheelferry.ops.promote import (
    PromotePlan,
    PromoteReport,
    apply_promote,
    plan_promote,
)
from wheelferry.ops.pull import PullPlan, PullReport, apply_pull, plan_pull
from wheelferry.ops.rules import Rules
from wheelferry.ops.tiers import LIBRARIES, VIEW, Tiers
from wheelferry.ops.verify import VerifyReport, verify_store
from wheelferry.pack.pool import Pool
from wheelferry.pack.reader import extract_pack
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.record import Record, SegmentId
from wheelferry.store.segment import Segment, decode_segment
from wheelferry.store.view import View

EVERYTHING = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What a promotion wanted, did and said."""

    plan: PromotePlan
    report: PromoteReport
    events: tuple[Event, ...]

    @property
    def names(self) -> list[str]:
        """Packages that are in the store now, one per entry, sorted."""
        return sorted(record.name for record in self.report.promoted)

    @property
    def warnings(self) -> tuple[Event, ...]:
        """What it said that someone may want to act on."""
        return _warnings(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull wanted, did and said."""

    plan: PullPlan
    report: PullReport
    events: tuple[Event, ...]

    @property
    def names(self) -> list[str]:
        """Packages that were restored, one per entry, sorted."""
        return sorted(record.name for record in self.report.restored)

    @property
    def warnings(self) -> tuple[Event, ...]:
        """What it said that someone may want to act on."""
        return _warnings(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What the program did: exit code, stdout as JSON lines or one document, stderr."""

    returncode: int
    lines: tuple[Mapping[str, Any], ...]
    stderr: str

    @property
    def summary(self) -> Mapping[str, Any]:
        """The last line, or the document."""
        return self.lines[-1]

    @property
    def warnings(self) -> list[str]:
        """Messages of the warnings and errors among the lines."""
        return [
            line["message"]
            for line in self.lines
            if line.get("level") in ("warning", "error")
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A store; what is done with it is done as a runner, on that runner's cache.

    Attributes:
        store: The store's directory.
        store_id: Its identity.
    """

    store: Path
    store_id: str

    @contextmanager
    def tiers(
        self,
        runner: Runner,
        events: list[Event],
        *,
        disk: Disk | None = None,
        machine: Machine | None = None,
    ) -> Iterator[Tiers]:
        """Open both tiers, as the program does; raises StoreError.

        `machine` is what the runner has, if not what this machine has.
        """
        disk = disk or Disk()
        state = runner.cache.with_name(f"{runner.cache.name}.wheelferry")
        disk.make_dirs(state)
        name = runner.root.name
        store = PosixStore(self.store, disk=disk, runner=name)
        store.open(expected_id=self.store_id)
        with View.open(state / VIEW, store_id=self.store_id, disk=disk) as view:
            yield Tiers(
                cache=runner.cache,
                state=state,
                store=store,
                store_id=self.store_id,
                view=view,
                runner=name,
                machine=machine or read_machine(state / LIBRARIES, disk),
                disk=disk,
                emit=events.append,
                now=clock.now_s,
            )

    def promote(
        self,
        runner: Runner,
        *,
        rules: Rules = EVERYTHING,
        disk: Disk | None = None,
        machine: Machine | None = None,
    ) -> Promoted:
        """Promote what the runner's cache has."""
        events: list[Event] = []
        with self.tiers(runner, events, disk=disk, machine=machine) as tiers:
            plan = plan_promote(tiers, rules)
            report = apply_promote(tiers, plan)
        return Promoted(plan=plan, report=report, events=tuple(events))

    def pull(
        self,
        runner: Runner,
        *,
        rules: Rules = EVERYTHING,
        uvs: Sequence[Uv] = (),
        disk: Disk | None = None,
        machine: Machine | None = None,
        is_background: bool = False,
    ) -> Pulled:
        """Pull into the runner's cache; `uvs` are those that it has besides its own."""
        events: list[Event] = []
        versions = [uv.version for uv in (runner.uv, *uvs)]
        with self.tiers(runner, events, disk=disk, machine=machine) as tiers:
            formats = find_formats(tiers, versions=versions, paths=())
            plan = plan_pull(tiers, rules, formats, is_background=is_background)
            report = apply_pull(tiers, plan)
        return Pulled(plan=plan, report=report, events=tuple(events))

    def verify(self) -> VerifyReport:
        """Verify the store."""
        store = PosixStore(self.store, disk=Disk(), runner="verifier")
        return verify_store(store, lambda _: None)

    def command(
        self,
        runner: Runner,
        verb: str,
        *args: str,
        umask: int = -1,
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run `wheelferry VERB --json ...` in a process, as a hook of the runner would.

        Only the store and the directory of uv are configured; the rest is found.
        """
        environment = runner.environment(
            {
                "WHEELFERRY_STORE_PATH": str(self.store),
                "WHEELFERRY_STORE_ID": self.store_id,
                "WHEELFERRY_RUNNER_NAME": runner.root.name,
                "WHEELFERRY_UV_PATHS": str(runner.uv.binary.parent),
                **(env or {}),
            }
        )
        done = subprocess.run(
            [sys.executable, "-m", "wheelferry", verb, "--json", *args],
            env=environment,
            umask=umask,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return Ran(
            returncode=done.returncode,
            lines=_decode(done.stdout),
            stderr=done.stderr,
        )

    def unpack(self, root: Path) -> int:
        """Unpack all packs as the archives of a cache at `root`; return their number."""
        packs = self.packs()
        with Pool() as pool:
            for digest, path in packs.items():
                target = root / "archive-v0" / digest
                target.mkdir(parents=True)
                with path.open("rb") as file:
                    extract_pack(
                        file.read,
                        digest=digest,
                        size_bytes=path.stat().st_size,
                        target=target,
                        disk=Disk(),
                        pool=pool,
                    )
        return len(packs)

    def packs(self) -> dict[str, Path]:
        """Return the packs, by digest."""
        return {path.name: path for path in self.store.glob("objects/*/*")}

    def segments(self) -> list[Path]:
        """Return the segments of the catalog."""
        return sorted(self.store.glob("catalog/*.seg"))

    def records(self) -> list[Record]:
        """Return all records of the catalog, straight from its files."""
        return [
            record for path in self.segments() for record in read_segment(path).records
        ]

    def entries(self) -> dict[tuple[str, str], int]:
        """Return how many entries of each kind and format the store has."""
        return count_entries(self.records())


def make_fleet(store: Path) -> Fleet:
    """Make a store, and return the fleet that shares it."""
    created = create_store(store, disk=Disk(), now_s=clock.now_s())
    return Fleet(store=store, store_id=created.info.id)


def read_segment(path: Path) -> Segment:
    """Decode a segment, straight from its file."""
    return decode_segment(path.read_bytes(), segment=SegmentId(path.stem))


def count_entries(records: Sequence[Record]) -> dict[tuple[str, str], int]:
    """Return how many records there are of each kind and format."""
    return dict(Counter((record.kind, record.format_id) for record in records))


def reasons(left: Sequence[Left]) -> dict[str, str]:
    """Return why things were left, by subject up to the first blank: the package."""
    return {item.subject.partition(" ")[0]: item.reason for item in left}


def _decode(stdout: str) -> tuple[Mapping[str, Any], ...]:
    try:
        return (json.loads(stdout),)
    except json.JSONDecodeError:  # not one document
        return tuple(map(json.loads, stdout.splitlines()))


def _warnings(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(event for event in events if event.level >= Level.WARNING)
