"""What a page about a store has to show, and how much of it at most."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.reports import (
    NOW_S,
    TODAY,
    make_day,
    make_figures,
    make_pack,
    make_report,
)
from wheelferry.ops.figures import PackageSums, Sums
from wheelferry.ops.gc_plan import Why
from wheelferry.ops.report_plan import (
    MAX_DAYS,
    MAX_NAME,
    MAX_POINTS,
    MAX_ROWS,
    MAX_RUNNERS,
    clip,
)
from wheelferry.store.record import Digest


def test_packages_are_those_that_take_most_room() -> None:
    """All packs of one add up; one that is not there takes none."""
    packs = [
        make_pack(1, size_bytes=5, days=9, subject="a 1"),
        make_pack(2, size_bytes=6, days=3, subject="a 2"),
        make_pack(3, size_bytes=10, subject="b 1"),
        make_pack(4, size_bytes=0, is_missing=True, subject="gone 1"),
    ]
    report = make_report(packs)
    assert [(h.name, h.packs, h.size_bytes) for h in report.largest] == [
        ("a", 2, 11),
        ("b", 1, 10),
    ]
    assert report.largest[0].needed_s == packs[1].needed_s
    assert (report.packages, report.missing) == (2, 1)


def test_ages_are_of_all_packs_once() -> None:
    """A pack on a bound is of the older group; one of the future is new."""
    packs = [
        make_pack(number, days=days)
        for number, days in enumerate((-5, 0, 0.9, 1, 6.9, 7, 89, 365, 4000))
    ]
    report = make_report([*packs, make_pack(99, size_bytes=0, is_missing=True)])
    assert [(a.from_days, a.to_days, a.packs) for a in report.ages] == [
        (0, 1, 3),
        (1, 7, 2),
        (7, 30, 1),
        (30, 90, 1),
        (90, 365, 0),
        (365, None, 2),
    ]
    assert sum(aged.size_bytes for aged in report.ages) == 9000


def test_next_are_the_victims_of_gc_with_their_reasons() -> None:
    """In the order in which they go."""
    packs = [make_pack(1, days=1), make_pack(2, days=50), make_pack(3, days=40)]
    found = make_report(packs, max_age_s=30 * 24 * 3600).next
    assert [(c.subject, c.why) for c in found] == [
        ("p2 1.0", Why.AGE),
        ("p3 1.0", Why.AGE),
    ]


def test_next_are_the_least_recently_needed_where_nothing_goes_yet() -> None:
    """Without a reason, and nothing that is missing: it cannot go."""
    packs = [
        make_pack(1, days=1),
        make_pack(2, days=50),
        make_pack(3, days=90, size_bytes=0, is_missing=True),
    ]
    found = make_report(packs, max_bytes=1 << 40).next
    assert [(c.subject, c.why) for c in found] == [("p2 1.0", None), ("p1 1.0", None)]


def test_days_are_shown_without_a_gap_up_to_today() -> None:
    """Also those on which nothing was done."""
    figures = make_figures("r", make_day(TODAY - 3, pulls=2), make_day(TODAY - 1))
    points = make_report(figures=[figures]).points
    assert [(p.first_day, p.last_day, p.sums.pulls) for p in points] == [
        (TODAY - 3, TODAY - 3, 2),
        (TODAY - 2, TODAY - 2, 0),
        (TODAY - 1, TODAY - 1, 0),
        (TODAY, TODAY, 0),
    ]


@given(st.integers(0, MAX_DAYS - 1))
def test_time_is_covered_once_whatever_its_length(ago: int) -> None:
    """By day or by week: from the first day on, and the last week ends today."""
    figures = make_figures("r", make_day(TODAY - ago, pulls=1), make_day(TODAY))
    points = make_report(figures=[figures]).points
    days = [d for p in points for d in range(p.first_day, p.last_day + 1)]
    assert days == list(range(days[0], TODAY + 1))
    assert TODAY - ago - 7 < days[0] <= TODAY - ago
    assert len(points) <= max(MAX_POINTS, MAX_DAYS // 7)
    assert sum(p.sums.pulls for p in points) == 1


def test_days_that_cannot_be_are_left_out() -> None:
    """Of a runner whose clock is wrong, or who lies: a chart of a million days is none."""
    figures = make_figures(
        "r",
        make_day(0, pulls=1),
        make_day(TODAY - MAX_DAYS, pulls=1),
        make_day(TODAY, pulls=1),
        make_day(TODAY + 1, pulls=1),
        make_day(1 << 20, pulls=1),
    )
    report = make_report(figures=[figures])
    assert report.savings.total == Sums(pulls=1)
    assert [p.first_day for p in report.points] == [TODAY]


def test_everything_has_a_bound() -> None:
    """However much a store says: rows, runners, the length of a name."""
    long = "n" * 5000
    packs = [make_pack(n, days=n + 40, subject=f"{long}{n} 1") for n in range(500)]
    figures = [
        make_figures(
            f"{long}{n}",
            make_day(TODAY, PackageSums(name=f"{long}{n}", build_s=1.0), pulls=1),
        )
        for n in range(200)
    ]
    names = {pack.digest: pack.subject for pack in packs}
    report = make_report(packs, figures, names=names, max_age_s=24 * 3600)
    assert len(report.largest) == len(report.next) == len(report.slowest) == MAX_ROWS
    assert len(report.runners) == MAX_RUNNERS
    shown = [
        *(held.name for held in report.largest),
        *(candidate.subject for candidate in report.next),
        *(package.name for package in report.slowest),
        *(one.runner for one in report.runners),
    ]
    assert {len(name) for name in shown} == {MAX_NAME}
    assert (report.packages, len(report.savings.runners)) == (500, 200)


def test_names_that_are_cut_are_not_taken_for_one() -> None:
    """They look alike, and their sizes stay apart."""
    packs = [make_pack(n, subject=f"{'n' * MAX_NAME}{n} 1") for n in range(2)]
    assert [held.packs for held in make_report(packs).largest] == [1, 1]


def test_busiest_runners_come_first() -> None:
    """By their pulls."""
    figures = [
        make_figures(name, make_day(TODAY, pulls=pulls))
        for name, pulls in (("a", 1), ("b", 3), ("c", 2))
    ]
    assert [r.runner for r in make_report(figures=figures).runners] == ["b", "c", "a"]


def test_a_pack_of_which_nobody_knows_the_package_is_no_crash() -> None:
    """The catalog may change between two looks at it."""
    report = make_report([make_pack(1)], names={Digest("f" * 64): "other"})
    assert [held.name for held in report.largest] == [""]
    assert report.now_s == NOW_S


def test_clip_leaves_what_fits() -> None:
    """And says where it cut."""
    assert clip("n" * MAX_NAME) == "n" * MAX_NAME
    assert clip("n" * (MAX_NAME + 1)) == "n" * (MAX_NAME - 1) + "…"
