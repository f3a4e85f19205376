"""Wheelferry on the machines of a site: one store on an export, a cache on each runner.

a, b = fleet.runners
a.fill(plan("pure-wheel"))
assert a.ferry("promote").summary["promoted"] == 1
pulled = b.ferry("pull")
assert pulled.traffic.rpcs <= 26, pulled
assert b.usable([plan("pure-wheel")])
"""

import itertools
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.nfs.rig import Export, Ran, Runner, Running, Site, Traffic
from tests.nfs.rig.machines import MOUNT_OPTIONS
from tests.support.cachetree import Planned, make_cache
from tests.support.soundness import CacheJudge

UV_VERSION = "0.13.9"
_ROOT = Path(__file__).parents[2]
_THOUSANDS = itertools.count()


class Ferried(NamedTuple):
    """What a run of the program did.

    Attributes:
        ran: The process.
        lines: What it wrote to stdout: JSON lines, or one document.
    """

    ran: Ran
    lines: tuple[Mapping[str, Any], ...]

    @property
    def returncode(self) -> int:
        """Its exit code."""
        return self.ran.returncode

    @property
    def traffic(self) -> Traffic:
        """What its runner asked of the server."""
        return self.ran.traffic

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.ran.wall_s

    @property
    def summary(self) -> Mapping[str, Any]:
        """The last line, or the document."""
        return self.lines[-1] if self.lines else {}

    @property
    def warnings(self) -> list[str]:
        """Messages of the warnings and errors among the lines."""
        levels = ("warning", "error")
        return [line["message"] for line in self.lines if line.get("level") in levels]

    def __str__(self) -> str:
        return str(self.ran)


@dataclass(frozen=True, slots=True, kw_only=True)
class FerryRun:
    """A run of the program that has not ended yet."""

    running: Running

    def wait(self, timeout_s: float = 60.0) -> Ferried:
        """Wait for its end; raises StillRunning, and kills it, if there is none."""
        ran = self.running.wait(timeout_s)
        return Ferried(ran=ran, lines=_decode(ran.stdout))


@dataclass(frozen=True, slots=True, kw_only=True)
class FerryRunner:
    """A runner with a cache of its own, and the store on its share.

    Attributes:
        machine: Where it is.
        home: Its folder on the machine's local disk.
        store_id: The store's identity.
        settings: More of the environment, for all that it runs.
    """

    machine: Runner
    home: str
    store_id: str
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> str:
        """Its uv cache, on the machine."""
        return f"{self.home}/cache"

    @property
    def environment(self) -> dict[str, str]:
        """What its jobs have set."""
        return {
            "WHEELFERRY_STORE_PATH": self.machine.share,
            "WHEELFERRY_STORE_ID": self.store_id,
            "WHEELFERRY_UV_VERSIONS": UV_VERSION,
            "UV_CACHE_DIR": self.cache,
            "PYTHONPATH": str(_ROOT / "src"),
            **self.settings,
        }

    def start(
        self,
        verb: str,
        *args: str,
        user: str = "",
        umask: int | None = None,
        before: Sequence[str] = (),
    ) -> FerryRun:
        """Start `wheelferry VERB --json ...`; `before` is put in front, as `strace`."""
        argv = [*before, sys.executable, "-m", "wheelferry", verb, "--json", *args]
        running = self.machine.start(
            *argv, env=self.environment, user=user, umask=umask, cwd=self.home
        )
        return FerryRun(running=running)

    def ferry(
        self,
        verb: str,
        *args: str,
        user: str = "",
        umask: int | None = None,
        before: Sequence[str] = (),
        timeout_s: float = 60.0,
    ) -> Ferried:
        """Run `wheelferry VERB --json ...` to its end, as a hook of the runner would."""
        started = self.start(verb, *args, user=user, umask=umask, before=before)
        return started.wait(timeout_s)

    def fill(self, *planned: Planned, owner: str = "") -> None:
        """Put entries into the cache, as uv would have left them."""
        guest = self.machine.guest
        made = guest.out / "made"
        make_cache(made, planned, first=next(_THOUSANDS) * 1000)
        self.machine.shell(f"mkdir -p {self.cache}; cp -a /run/out/made/. {self.cache}")
        if owner:
            self.machine.shell(f"chown -R {owner} {self.home}")
        shutil.rmtree(made)

    def empty(self) -> None:
        """Remove the cache, and all that the program keeps beside it."""
        self.machine.shell(f"rm -rf {self.cache} {self.cache}.wheelferry")

    def has_staged(self, path: str) -> bool:
        """Return whether a pull has this file of a tree on the local disk, unpublished."""
        staging = f"{self.cache}.wheelferry/staging"
        found = self.machine.shell(f"find {staging} -path '*/{path}' || true")
        return bool(found)

    def usable(self, planned: Sequence[Planned]) -> int:
        """Return how many of these entries uv would find; nothing else may be there.

        Fails if anything in the cache is not what was promoted.
        """
        copy = self.machine.guest.out / "judged"
        self.machine.shell(
            f"mkdir -p {self.cache} /run/out/judged; cp -a {self.cache}/. /run/out/judged"
        )
        try:
            judge = CacheJudge(planned)
            assert not (wrong := judge.wrong(copy)), wrong
            return len(judge.usable(copy))
        finally:
            shutil.rmtree(copy)


@dataclass(frozen=True, slots=True, kw_only=True)
class NfsFleet:
    """A store on an export of its own, and the runners that mount it."""

    site: Site
    export: Export
    runners: tuple[FerryRunner, ...]

    def on_server(self, verb: str, *args: str, timeout_s: float = 60.0) -> Ferried:
        """Run the program on the file server, on the store's own directory."""
        argv = [sys.executable, "-m", "wheelferry", verb, "--json", *args]
        ran = self.site.server.run(
            *(*argv, "--store", self.export.path),
            env={"PYTHONPATH": str(_ROOT / "src")},
            timeout_s=timeout_s,
        )
        return Ferried(ran=ran, lines=_decode(ran.stdout))

    def damage(self) -> list[str]:
        """Return what `verify`, run on the server, finds wrong with the store."""
        return [
            f"{found['reference']}: {found['subject']}: {found['message']}"
            for found in self._findings()
            if found["severity"] != "info"
        ]

    def orphans(self) -> set[str]:
        """Return the objects that no record names."""
        return {
            found["subject"]
            for found in self._findings()
            if found["reference"] == "object-orphan"
        }

    def _findings(self) -> list[dict[str, str]]:
        verified = self.on_server("verify")
        assert "findings" in verified.summary, verified
        findings: list[dict[str, str]] = verified.summary["findings"]
        return findings

    def count(self, what: str) -> int:
        """Return how many files of the store match a pattern, such as `objects/*/*`."""
        listed = self.site.server.shell(f"ls -d {self.export.path}/{what} || true")
        return len(listed.split())


def make_fleet(
    site: Site,
    name: str,
    *,
    runners: int = 2,
    export: Export | None = None,
    mount_options: str = MOUNT_OPTIONS,
    init: Sequence[str] = (),
) -> NfsFleet:
    """Make a store on a new export, or on a given one, and mount it on some runners."""
    export = export or site.server.export(name)
    fleet = NfsFleet(site=site, export=export, runners=())
    site.server.shell(f"rmdir {export.path}/lost+found 2>/dev/null || true")
    done = fleet.on_server("init", *init)
    assert done.returncode == 0, done
    made = []
    for machine in site.runners[:runners]:
        machine.mount(export, mount_options)
        home = f"{machine.local}/{name}"
        machine.shell(f"mkdir -p {home}")
        made.append(
            FerryRunner(machine=machine, home=home, store_id=done.summary["id"])
        )
    return NfsFleet(site=site, export=export, runners=tuple(made))


def _decode(stdout: str) -> tuple[Mapping[str, Any], ...]:
    try:
        return (json.loads(stdout),)
    except json.JSONDecodeError:  # not one document
        return tuple(map(json.loads, stdout.splitlines()))
