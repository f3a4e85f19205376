"""Figures of one runner or of many, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from collections.abc import Sequence

from wheelferry.cli.units import count, format_bytes, format_seconds, render_table
from wheelferry.ops.figures import PackageSums, Summary, Sums, date_of

UNKNOWN = "unknown"


def encode_stats(
    since: str | None, runner: Summary, fleet: Summary | None, *, top: int
) -> dict[str, object]:
    """Return this runner's figures and the fleet's, if they are known, for JSON."""
    return {
        "since": since,
        "runner": encode_summary(runner, top=top),
        "fleet": None if fleet is None else encode_summary(fleet, top=top),
    }


def encode_summary(summary: Summary, *, top: int) -> dict[str, object]:
    """Return figures as JSON has them, with so many packages of each kind."""
    return {
        **_encode_sums(summary.total),
        "days": [
            {"date": str(day.date), **_encode_sums(day.sums)} for day in summary.days
        ],
        "runners": [
            {
                "runner": runner.runner,
                "last_date": str(date_of(runner.last_day)),
                **_encode_sums(runner.sums),
            }
            for runner in summary.runners
        ],
        "largest": [_encode_package(p) for p in summary.largest(top)],
        "most_avoided": [_encode_package(p) for p in summary.most_avoided(top)],
        "slowest": [_encode_package(p) for p in summary.slowest(top)],
    }


def _encode_sums(sums: Sums) -> dict[str, object]:
    return {
        "pulls": sums.pulls,
        "failed": sums.failed,
        "waited_s": round(sums.waited_s, 3),
        "background_s": round(sums.background_s, 3),
        "pulled": sums.pulled,
        "pulled_bytes": sums.pulled_bytes,
        "promoted": sums.promoted,
        "promoted_bytes": sums.promoted_bytes,
        "reused": sums.reused,
        "reused_bytes": sums.reused_bytes,
        "avoided_bytes": sums.avoided_bytes,
        "ahead_bytes": sums.ahead_bytes,
        "unsized": sums.unsized,
        "builds": sums.builds,
        "build_s": _known_s(sums),
        "untimed": sums.untimed,
        "net_bytes": sums.net_bytes,
        "net_s": round(sums.net_s, 3),
        "is_complete": sums.is_complete,
    }


def _encode_package(package: PackageSums) -> dict[str, object]:
    return {
        "name": package.name,
        "pulled": package.pulled,
        "pulled_bytes": package.pulled_bytes,
        "avoided_bytes": package.avoided_bytes,
        "unsized": package.unsized,
        "builds": package.builds,
        "build_s": _known_s(package),
        "untimed": package.untimed,
        "longest_s": round(package.longest_s, 3) if _is_timed(package) else None,
        "net_bytes": package.net_bytes,
    }


def render_summary(
    summary: Summary, title: str, *, top: int, names_runners: bool = False
) -> str:
    """Return figures as people read them: the sums, then who and which packages."""
    if not summary.days:
        return f"{title}: nothing is noted of this time"
    first, last = summary.days[0].date, summary.days[-1].date
    total = summary.total
    lines = [
        f"{title}, {first} to {last}" if first != last else f"{title}, {first}",
        *(f"  {name:<9}{text}" for name, text in _render_sums(total)),
    ]
    if names_runners:
        lines += ["", _render_runners(summary)]
    for words, packages in (
        ("most bytes from the store", summary.largest(top)),
        ("most bytes that an index did not send", summary.most_avoided(top)),
        ("longest builds that were avoided", summary.slowest(top)),
    ):
        if packages:
            lines += ["", f"{words}:", _render_packages(packages)]
    return "\n".join(lines)


def _render_sums(sums: Sums) -> list[tuple[str, str]]:
    failed = f", {sums.failed} of them failed" if sums.failed else ""
    pulled = (
        f"{count(sums.pulled, 'entry', 'entries')}, {format_bytes(sums.pulled_bytes)}"
        f" from the store, in {count(sums.pulls, 'pull')}{failed}"
    )
    promoted = (
        f"{count(sums.promoted, 'entry', 'entries')},"
        f" {format_bytes(sums.promoted_bytes)} to the store"
    )
    reused = (
        f"{count(sums.reused, 'entry', 'entries')} that jobs asked for and that were"
        f" there ({format_bytes(sums.reused_bytes)} of files)"
    )
    cost = (
        f"jobs waited {format_seconds(sums.waited_s)};"
        f" {format_seconds(sums.background_s)} in the background"
    )
    return [
        ("pulled", pulled),
        ("promoted", promoted),
        ("reused", reused),
        ("avoided", _render_avoided(sums)),
        ("builds", _render_builds(sums)),
        ("cost", cost),
        ("net", _render_net_bytes(sums)),
        ("", _render_net_s(sums)),
    ]


def _render_avoided(sums: Sums) -> str:
    text = f"{format_bytes(sums.avoided_bytes)} that an index did not have to send"
    if sums.ahead_bytes:
        text += (
            f" ({format_bytes(sums.ahead_bytes)} of it pulled ahead: avoided if jobs"
            " use it)"
        )
    if sums.unsized:
        files = count(sums.unsized, "more file")
        text += f"; the size of {files} is {UNKNOWN}"
    return text


def _render_builds(sums: Sums) -> str:
    if not sums.builds:
        return "none avoided"
    known = sums.builds - sums.untimed
    text = f"{sums.builds} avoided: "
    if not known:
        return f"{text}how long they take is {UNKNOWN}"
    text += format_seconds(sums.build_s)
    if sums.untimed:
        text += f" for {known} of them, {UNKNOWN} for {sums.untimed}"
    return text


def _render_net_bytes(sums: Sums) -> str:
    so_far = " as far as sizes are known" if sums.unsized else ""
    net = format_bytes(abs(sums.net_bytes))
    if sums.net_bytes < 0:
        return (
            f"a loss of {net}{so_far}: more went to and from the store than an index"
            " would have sent"
        )
    return f"{net} saved{so_far}: what an index did not send, less what the store took"


def _render_net_s(sums: Sums) -> str:
    left_out = "the time of downloads is unknown and not in it"
    if sums.untimed:
        builds = count(sums.untimed, "build")
        left_out = f"the time of downloads and of {builds} is unknown and not in it"
    net = format_seconds(abs(sums.net_s))
    if sums.net_s < 0:
        return (
            f"a loss of {net} as far as times are known: jobs waited longer than the"
            f" avoided builds would have taken; {left_out}"
        )
    return f"{net} saved: builds that were avoided, less what jobs waited; {left_out}"


def _render_runners(summary: Summary) -> str:
    rows = [
        (
            runner.runner,
            str(date_of(runner.last_day)),
            str(runner.sums.pulled),
            format_bytes(runner.sums.pulled_bytes),
            str(runner.sums.promoted),
            format_bytes(runner.sums.avoided_bytes),
            str(runner.sums.builds),
            _build_time(runner.sums),
            format_seconds(runner.sums.waited_s),
        )
        for runner in summary.runners
    ]
    header = (
        "runner",
        "last",
        "pulled",
        "read",
        "promoted",
        "avoided",
        "builds",
        "build time",
        "waited",
    )
    return render_table(rows, header=header, right=range(2, 9))


def _render_packages(packages: Sequence[PackageSums]) -> str:
    rows = [
        (
            package.name,
            str(package.pulled),
            format_bytes(package.pulled_bytes),
            _index_bytes(package),
            str(package.builds),
            _build_time(package),
        )
        for package in packages
    ]
    header = ("package", "pulled", "from store", "from index", "builds", "build time")
    return render_table(rows, header=header, right=range(1, 6))


def _index_bytes(package: PackageSums) -> str:
    if package.unsized and not package.avoided_bytes:
        return UNKNOWN
    return format_bytes(package.avoided_bytes)


def _build_time(sums: Sums | PackageSums) -> str:
    if not sums.builds:
        return "-"
    if not _is_timed(sums):
        return UNKNOWN
    more = f" + {sums.untimed} unknown" if sums.untimed else ""
    return format_seconds(sums.build_s) + more


def _is_timed(sums: Sums | PackageSums) -> bool:
    return sums.builds > sums.untimed


def _known_s(sums: Sums | PackageSums) -> float | None:
    """Return the seconds of builds; None where there were some and none was seen."""
    return None if sums.builds and not _is_timed(sums) else round(sums.build_s, 3)
