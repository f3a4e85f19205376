"""What was saved: over time, by runner, and by build.  Pure."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from wheelferry.cli.report.charts import Column, Legend, render_bar, render_columns
from wheelferry.cli.report.markup import Html, element, join
from wheelferry.cli.report.parts import Heading, render_section, render_table
from wheelferry.cli.report.words import (
    UNKNOWN,
    format_build_time,
    format_day,
    format_net,
    format_net_s,
    format_number,
)
from wheelferry.cli.units import count, format_bytes, format_seconds
from wheelferry.ops.figures import Sums
from wheelferry.ops.report_plan import Point, Report

_Figure: TypeAlias = tuple[str, Callable[[Sums], str]]
"""A column of a table: its heading, and what stands below it."""

_PULLS: Final[_Figure] = ("pulls", lambda sums: format_number(sums.pulls))
_CARRIED: Final[Sequence[_Figure]] = (
    ("pulled", lambda sums: format_bytes(sums.pulled_bytes)),
    ("promoted", lambda sums: format_bytes(sums.promoted_bytes)),
    ("index avoided", lambda sums: format_bytes(sums.avoided_bytes)),
    ("net", lambda sums: format_net(sums.net_bytes)),
    ("builds avoided", lambda sums: format_number(sums.builds)),
)
_OF_DAYS: Final[Sequence[_Figure]] = (
    _PULLS,
    *_CARRIED,
    ("build time avoided", format_build_time),
    ("jobs waited", lambda sums: format_seconds(sums.waited_s)),
)
_OF_RUNNERS: Final[Sequence[_Figure]] = (
    _PULLS,
    ("failed", lambda sums: format_number(sums.failed)),
    *_CARRIED,
    ("net time", lambda sums: format_net_s(sums.net_s)),
)


def render_savings(report: Report) -> Html:
    """Return the section of savings over time."""
    if not report.points:
        nothing = element(
            "p",
            "No runner has told the store yet what it did: each does so once a day, after"
            " a pull or a promotion.",
        )
        return render_section("savings", "What it saves", nothing)
    first, last = report.points[0], report.points[-1]
    runners = count(len(report.savings.runners), "runner")
    return render_section(
        "savings",
        "What it saves",
        element(
            "p",
            f"From {format_day(first.first_day)} to {format_day(last.last_day)}, by what"
            f" {runners} said, each once a day; days are those of UTC. Bytes and seconds are kept"
            " apart, since nobody knows what the one would have cost in the other.",
        ),
        element("p", _render_verdict(report.savings.total)),
        element("h3", "Bytes"),
        _render_bytes(report),
        element("h3", "Time"),
        _render_time(report),
        _render_numbers(report),
    )


def _render_verdict(sums: Sums) -> Html:
    """Return the net, said as a loss where it is one, and what is not in it."""
    net = element("strong", format_net(abs(sums.net_bytes)))
    if sums.net_bytes >= 0:
        said = join(
            "Net of what went over the share, ", net, " less came from an index."
        )
    else:
        said = join(
            "A loss in bytes: ",
            net,
            " more went over the share than an index would have sent.",
        )
    parts = [said]
    if sums.ahead_bytes:
        parts.append(
            join(
                f" {format_bytes(sums.ahead_bytes)} of what was avoided came before any"
                " job asked for it, and counts only if one does."
            )
        )
    if not sums.is_complete:
        parts.append(
            join(
                f" Not counted, so that the true figures are higher:"
                f" {count(sums.unsized, 'entry', 'entries')} whose size at the index is"
                f" not known, and {count(sums.untimed, 'build')} that nobody timed."
            )
        )
    return join(*parts)


def _render_bytes(report: Report) -> Html:
    points = report.points
    return render_columns(
        [
            Column(
                f"{_days(p)}: {format_bytes(p.sums.avoided_bytes)} avoided,"
                f" {format_bytes(p.sums.cost_bytes)} over the share",
                p.sums.avoided_bytes,
                p.sums.cost_bytes,
            )
            for p in points
        ],
        Legend(
            "not sent by an index",
            _most(report, lambda s: format_bytes(s.avoided_bytes), "avoided_bytes"),
            "sent over the share, to and from the store",
            _most(report, lambda s: format_bytes(s.cost_bytes), "cost_bytes"),
        ),
        name="Bytes",
        ends=_ends(report),
    )


def _render_time(report: Report) -> Html:
    return render_columns(
        [
            Column(
                f"{_days(p)}: {format_seconds(p.sums.build_s)} of builds avoided,"
                f" {format_seconds(p.sums.waited_s)} waited",
                p.sums.build_s,
                p.sums.waited_s,
            )
            for p in report.points
        ],
        Legend(
            "of builds avoided",
            _most(report, lambda s: format_seconds(s.build_s), "build_s"),
            "that jobs waited for pulls and promotions",
            _most(report, lambda s: format_seconds(s.waited_s), "waited_s"),
        ),
        name="Time",
        ends=_ends(report),
    )


def _most(report: Report, words: Callable[[Sums], str], name: str) -> str:
    largest = max(report.points, key=lambda point: getattr(point.sums, name))
    is_day = largest.first_day == largest.last_day
    return f"{words(largest.sums)} in a {'day' if is_day else 'week'}"


def _ends(report: Report) -> tuple[str, str]:
    return format_day(report.points[0].first_day), format_day(
        report.points[-1].last_day
    )


def _days(point: Point) -> str:
    first, last = format_day(point.first_day), format_day(point.last_day)
    return first if first == last else f"{first} to {last}"


def _render_numbers(report: Report) -> Html:
    rows = [
        [_days(point), *_show(_OF_DAYS, point.sums)]
        for point in reversed(report.points)
        if point.sums != Sums()
    ]
    return element(
        "details",
        element("summary", "The numbers"),
        render_table(
            "What was done, the latest days first",
            [Heading("days"), *_headings(_OF_DAYS)],
            rows,
        ),
    )


def render_runners(report: Report) -> Html:
    """Return the section of what each runner did."""
    if not report.runners:
        return Html("")
    rows = [
        [one.runner, format_day(one.last_day), *_show(_OF_RUNNERS, one.sums)]
        for one in report.runners
    ]
    others = len(report.savings.runners) - len(rows)
    return render_section(
        "runners",
        "Runners",
        render_table(
            "What each runner did, the busiest first",
            [Heading("runner"), Heading("last day"), *_headings(_OF_RUNNERS)],
            rows,
        ),
        element("p", f"And {count(others, 'other')}.") if others else "",
        element(
            "p",
            "Net time is that of avoided builds, where it was seen, less what jobs waited."
            " A runner that promotes for others may well have a loss of its own.",
            class_="note",
        ),
    )


def _headings(figures: Sequence[_Figure]) -> list[Heading]:
    return [Heading(name, is_number=True) for name, _ in figures]


def _show(figures: Sequence[_Figure], sums: Sums) -> list[str]:
    return [show(sums) for _, show in figures]


def render_slowest(report: Report) -> Html:
    """Return the section of the builds whose sharing saved most time."""
    if not report.slowest:
        return Html("")
    most_s = report.slowest[0].build_s
    headings = (
        Heading("package"),
        Heading("time avoided", is_number=True),
        Heading(""),
        Heading("builds avoided", is_number=True),
        Heading("longest", is_number=True),
        Heading("nobody timed", is_number=True),
    )
    rows = [
        [
            package.name,
            format_seconds(package.build_s),
            render_bar(package.build_s, most_s),
            format_number(package.builds),
            format_seconds(package.longest_s) if package.longest_s else UNKNOWN,
            format_number(package.untimed),
        ]
        for package in report.slowest
    ]
    return render_section(
        "builds",
        "Slowest builds shared",
        render_table("Packages by the build time that was avoided", headings, rows),
    )
