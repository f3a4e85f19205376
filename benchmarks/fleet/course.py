"""Run ways through scenarios, in turns, and yield a sample of each job."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import proxy
from benchmarks.fleet.index import Counts, read_counts
from benchmarks.fleet.inputs import Inputs
from benchmarks.fleet.machine import NOTHING, Did, Machine, wait_for_job
from benchmarks.fleet.names import Scenario
from benchmarks.fleet.place import Place
from benchmarks.fleet.sample import Sample
from benchmarks.fleet.scenarios import Step, plan
from benchmarks.fleet.ways import Way
from benchmarks.measure import warn
from tests.nfs.report.jobs import read_log
from tests.support.uvs import Uv

JOB_S = 1800.0
"""How long a job may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What to run, and where.

    Attributes:
        place: Where.
        inputs: What jobs install.
        uv: With which uv.
        ways: In turns; each has all of a round at once, on a share of its own.
        scenarios: Which of them.
        jobs: How many jobs with nothing new a round has.
        folder: Where a caching proxy is installed, once.
    """

    place: Place
    inputs: Inputs
    uv: Uv
    ways: Sequence[Way]
    scenarios: Collection[Scenario]
    jobs: int
    folder: Path

    def run(self, rounds: int) -> Iterator[Sample]:
        """Measure so many rounds, on each network; another way begins each of them."""
        for number in range(rounds):
            turn = number % len(self.ways)
            for network in self.place.networks or (None,):
                if network is not None and network != self.place.network:
                    self.place.reshape(network)
                for way in (*self.ways[turn:], *self.ways[:turn]):
                    yield from self._run_way(way, number)

    def _run_way(self, way: Way, number: int) -> Iterator[Sample]:
        runners = len(self.place.runners)
        wanted = set(self.scenarios) & set(way.scenarios)
        for count, steps in enumerate(plan(wanted, runners=runners, jobs=self.jobs)):
            name = f"{way.id}-{number}-{count}"
            try:
                yield from self._run_share(way, steps, name=name, number=number)
            except AssertionError as exc:  # of what is around the jobs
                warn(f"{way.name} is left out of what else this round has: {exc}")

    def _run_share(
        self, way: Way, steps: Sequence[Step], *, name: str, number: int
    ) -> Iterator[Sample]:
        with self.place.new_share(name), self._machines(way, name) as machines:
            if way.begin:
                machines[0].shell(way.begin)
            for step in steps:
                working = [machines[n] for n in step.runners]
                samples = self._run_step(step, working, number)
                if step.is_measured:
                    yield from samples

    @contextmanager
    def _machines(self, way: Way, name: str) -> Iterator[Sequence[Machine]]:
        with ExitStack() as stack:
            machines = []
            url = ""
            if way.has_proxy:
                url = stack.enter_context(proxy.serve(self.place, self.folder))
            for runner in self.place.runners:
                folder = f"{runner.local}/{name}"
                machine = Machine(
                    runner=runner, way=way, folder=folder, uv=self.uv, proxy_url=url
                )
                stack.callback(machine.remove)
                machine.renew()
                machines.append(machine)
            yield machines

    def _run_step(
        self, step: Step, machines: Sequence[Machine], number: int
    ) -> list[Sample]:
        for machine in machines:
            if step.has_new_disks:
                machine.renew()
            machine.check_out(self.inputs.projects[step.lock])
        before = self._read_counts(machines)
        running = [machine.start() for machine in machines]
        try:
            dids = [wait_for_job(each, JOB_S) for each in running]
        except BaseException:
            for each in running:
                each.stop()
            raise
        after = self._read_counts(machines)
        asked = [now.since(then) for now, then in zip(after, before, strict=True)]
        share_bytes = self.place.share_bytes()
        return [
            self._make_sample(
                step,
                machine,
                number=number,
                did=did,
                asked=counts,
                share_bytes=share_bytes,
            )
            for machine, did, counts in zip(machines, dids, asked, strict=True)
        ]

    def _read_counts(self, machines: Sequence[Machine]) -> list[Counts]:
        """Return what each has asked for; what the proxy did, in even parts."""
        proxied = Counts(0, 0)
        if machines[0].way.has_proxy:
            proxied = read_counts(self.place.server)
        parts = proxied.split(len(machines))
        mine = [read_counts(machine.runner) for machine in machines]
        return [one.plus(part) for one, part in zip(mine, parts, strict=True)]

    def _make_sample(
        self,
        step: Step,
        machine: Machine,
        *,
        number: int,
        did: Did,
        asked: Counts,
        share_bytes: int,
    ) -> Sample:
        log = read_log(did.steps.get("sync", NOTHING).text)
        wrong = did.wrong
        if not wrong:
            has, needs = machine.count_installed(), self.inputs.packages[step.lock]
            wrong = "" if has == needs else f"{has} of {needs} packages were installed"
        before, sync, after = (
            did.steps.get(name, NOTHING) for name in ("before", "sync", "after")
        )
        sample = Sample(
            place=self.place.name,
            network=self.place.network,
            way=machine.way.name,
            scenario=step.scenario,
            round=number,
            runner=machine.runner.name,
            before_s=before.elapsed_s,
            sync_s=sync.elapsed_s,
            after_s=after.elapsed_s,
            peak_bytes=max(before.peak_bytes, after.peak_bytes),
            index_requests=asked.requests,
            index_bytes=asked.body_bytes,
            builds=log.builds,
            lock_waits=log.lock_waits,
            has_failed=bool(wrong),
            has_copied=log.copy_warnings > 0,
            share=did.share,
            share_bytes=share_bytes,
        )
        if step.is_measured or wrong:
            _say(sample, wrong)
        return sample


def _say(sample: Sample, wrong: str) -> None:
    times = f"{sample.before_s:.1f} + {sample.sync_s:.1f} + {sample.after_s:.1f} s"
    warn(
        f"{sample.way}: {sample.scenario}, {sample.runner}: {times},"
        f" {sample.index_bytes / 1e6:.1f} MB from the index, {sample.builds} builds"
        f"{f'; failed: {wrong}' if wrong else ''}"
    )
