"""Jobs of a fleet that never ran: every figure is made up, and a round one."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.fleet.names import Scenario, Way
from benchmarks.fleet.network import Network
from benchmarks.fleet.sample import Sample, Share

MB = 1_000_000
NETWORK = Network(rtt_ms=1, mbit=1000)


def make_share(
    rpcs: int = 100,
    *,
    read_bytes: int = 0,
    written_bytes: int = 0,
    waited_s: float = 0.1,
) -> Share:
    """Return what a job asked: nine READ of ten RPCs, the others OPEN."""
    ops = {"READ": rpcs - rpcs // 10, "OPEN": rpcs // 10}
    return Share(
        rpcs={op: count for op, count in ops.items() if count},
        read_bytes=read_bytes,
        written_bytes=written_bytes,
        waited_s=waited_s,
    )


BLANK = Sample(
    place="guest",
    network=NETWORK,
    way=Way.WHOLE,
    scenario=Scenario.JOINS,
    round=0,
    runner="a",
    before_s=1.0,
    sync_s=1.0,
    after_s=0.0,
    peak_bytes=50 * MB,
    index_requests=0,
    index_bytes=0,
    builds=0,
    lock_waits=0,
    has_failed=False,
    has_copied=False,
    share=make_share(),
    share_bytes=100 * MB,
)


def make_run() -> list[Sample]:
    """Return three rounds of everything, in a guest, with four runners."""
    jobs: list[Sample] = []
    for number in range(3):
        for way in Way:
            for scenario in Scenario:
                jobs += _make_jobs(way, scenario, number)
    return jobs


def in_folder(jobs: Sequence[Sample]) -> list[Sample]:
    """Return the same as of a folder, where no kernel counts."""
    return [replace(job, place="folder", network=None, share=None) for job in jobs]


# Per way: seconds before `uv sync` and in it, RPCs, MB read, for one whole cache.
_WHOLE_CACHE: dict[Way, tuple[float, float, int, int]] = {
    Way.FLOOR: (5, 1, 100, 100),
    Way.WHOLE: (6, 1, 200, 100),
    Way.LOCK: (6, 1, 200, 100),
    Way.DAEMON: (0.1, 1, 2, 0),
    Way.TAR: (10, 1, 1000, 110),
    Way.RSYNC: (40, 1, 80_000, 400),
    Way.CP: (70, 1, 120_000, 400),
    Way.SHARED_CACHE: (0, 40, 70_000, 350),
    Way.PROXY: (0, 60, 0, 0),
    Way.NO_SHARING: (0, 80, 0, 0),
}
# What of a whole cache a scenario moves.
_PARTS = {
    Scenario.COLD: 1.0,
    Scenario.WARM: 1.0,
    Scenario.JOINS: 1.0,
    Scenario.BUMP: 0.1,
    Scenario.ADDED: 0.05,
    Scenario.NOTHING: 0.0,
}


def _make_jobs(way: Way, scenario: Scenario, number: int) -> list[Sample]:
    before_s, sync_s, rpcs, read_mb = _WHOLE_CACHE[way]
    runners = "a" if scenario in {Scenario.JOINS, Scenario.NOTHING} else "abcd"
    part = _PARTS[scenario]
    jobs = []
    for runner in runners:
        is_first = runner == "a" and scenario is not Scenario.JOINS
        asks_index = way is Way.NO_SHARING or (way is not Way.FLOOR and is_first)
        asked = rpcs
        if scenario is Scenario.NOTHING:
            asked = rpcs // 3 if rpcs > 1000 else 2
        elif part < 1 and way is not Way.TAR:
            asked = int(rpcs * part)
        moved = read_mb if way is Way.TAR and part else int(read_mb * part)
        jobs.append(
            replace(
                BLANK,
                way=way,
                scenario=scenario,
                round=number,
                runner=runner,
                before_s=before_s * max(part, 0.02) * (1 + number / 10),
                sync_s=max(1, sync_s * part),
                after_s=1.0 if is_first else 0.1,
                index_requests=int(asks_index * part * 90),
                index_bytes=int(asks_index * part * 120 * MB),
                builds=int(asks_index * part * 4),
                lock_waits=10 if way is Way.SHARED_CACHE else 0,
                share=make_share(
                    asked,
                    read_bytes=moved * MB,
                    written_bytes=moved * MB if is_first else 0,
                    waited_s=asked / 1000,
                ),
            )
        )
    return jobs
