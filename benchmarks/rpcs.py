"""RPCs of everyday runs on real NFS: beside a plain script, and by mount option.

Needs the guest of `tests/nfs`; counts are the kernel's own, and firm.
"""

import argparse
from collections.abc import Sequence

from benchmarks.measure import Json, Part, Report, table
from tests.nfs.budget import Counted, count_everyday, count_large_catalog
from tests.nfs.fleet import make_fleet
from tests.nfs.rig import HOW_TO, Site, Traffic, find_missing

OPTIONS = (
    "vers=4.2,hard,nodev,nosuid,noexec",
    "vers=4.1,hard",
    "vers=3,hard,nolock",
    "vers=4.2,hard,nconnect=4",
    "vers=4.2,hard,lookupcache=positive",
    "vers=4.2,hard,lookupcache=none",
    "vers=4.2,hard,actimeo=1",
    "vers=4.2,hard,noac",
    "vers=4.2,hard,rsize=65536,wsize=65536",
)


def _say(traffic: Traffic) -> str:
    return str(traffic.rpcs)


def _table(counts: Sequence[Counted]) -> str:
    rows = [
        (
            counted.scenario,
            _say(counted.ours),
            _say(counted.floor),
            f"{counted.budget} = {counted.formula}",
            str(counted.ours.locks),
        )
        for counted in counts
    ]
    header = ("run", "RPCs", "plain script", "budget", "locks")
    return table(header, rows)


def _show_excess(counts: Sequence[Counted]) -> str:
    lines = [
        f"* {counted.scenario}: {counted.ours}"
        for counted in counts
        if counted.ours.rpcs > counted.budget
    ]
    return "\n".join(["**Over budget:**", "", *lines, "", ""]) if lines else ""


def _encode(counts: Sequence[Counted]) -> list[Json]:
    return [
        {
            "scenario": counted.scenario,
            "budget": counted.budget,
            "ours": dict(counted.ours.ops),
            "floor": dict(counted.floor.ops),
            "bytes_read": counted.ours.bytes_read,
            "bytes_written": counted.ours.bytes_written,
        }
        for counted in counts
    ]


def run(args: argparse.Namespace) -> Report:
    """Boot a guest, and count."""
    del args
    if find_missing():
        raise SystemExit(HOW_TO)
    by_options: dict[str, list[Counted]] = {}
    with Site.open(runners=3) as site:
        for number, options in enumerate(OPTIONS):
            fleet = make_fleet(
                site, f"options-{number}", runners=3, mount_options=options
            )
            by_options[options] = count_everyday(fleet)
            site.settle()
        large = count_large_catalog(make_fleet(site, "large", runners=3))
        kernel = site.guest.kernel
    usual = [*by_options[OPTIONS[0]], *large]
    scenarios = [counted.scenario for counted in by_options[OPTIONS[0]]]
    rows = [
        (f"`{options}`", *(_say(counted.ours) for counted in counts))
        for options, counts in by_options.items()
    ]
    text = (
        f"Linux {kernel}, nfsd and clients in one guest; mounted with"
        f" `{OPTIONS[0]}`.\n\n{_table(usual)}\n\n{_show_excess(usual)}"
        "The same with other options:\n\n"
        f"{table(('options', *scenarios), rows)}"
    )
    results: dict[str, Json] = {name: _encode(c) for name, c in by_options.items()}
    return Report(text=text, results={**results, "large": _encode(large)})


PART = Part(
    name="rpcs",
    summary="RPCs of everyday runs on real NFS",
    add_options=lambda _: None,
    run=run,
)

if __name__ == "__main__":
    PART.main()
