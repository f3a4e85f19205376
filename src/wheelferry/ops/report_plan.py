"""What a page about a store has to show: pure.

Everything that comes from the store is bounded here: how many rows there are, how long a
name is, which days count.  Whoever renders it has to escape it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

from wheelferry.ops.figures import (
    DAY_S,
    PackageSums,
    RunnerFigures,
    RunnerSums,
    Summary,
    Sums,
    add_sums,
    day_of,
    summarize,
)
from wheelferry.ops.gc_facts import Pack
from wheelferry.ops.gc_plan import GcPlan, Why
from wheelferry.store.record import Digest
from wheelferry.store.view_rows import Totals

MAX_ROWS: Final = 20
"""Of a list of packages or packs."""

MAX_RUNNERS: Final = 50

MAX_NAME: Final = 60
"""Characters of a name."""

MAX_DAYS: Final = 728
"""How far back savings are shown, ..."""

MAX_POINTS: Final = 92
"""... by day as long as that are no more than these, and else by week."""

_WEEK: Final = 7

AGES: Final = (1, 7, 30, 90, 365)
"""Bounds between the groups of packs by age, in days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the store holds of a package.

    Attributes:
        name: Of the package.
        packs: How many: of all versions, Pythons and platforms.
        size_bytes: Of these.
        needed_s: When a runner last needed one of them.
    """

    name: str
    packs: int
    size_bytes: int
    needed_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """Packs of one range of ages.

    Attributes:
        from_days: For how long at least nobody has needed them.
        to_days: For how long less than that; None if for any time.
        packs: How many.
        size_bytes: Of these.
    """

    from_days: int
    to_days: int | None
    packs: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pack that goes with the next gc, or, without a reason yet, before others."""

    subject: str
    size_bytes: int
    needed_s: int
    why: Why | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What runs did on some days in a row: of those of UTC, as days since 1970-01-01."""

    first_day: int
    last_day: int
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a report is from.

    Attributes:
        store: Its path.
        store_id: Its id.
        runner: Who looked.
        version: Of Wheelferry.
    """

    store: str
    store_id: str
    runner: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of a page; times are seconds of the server's clock.

    Attributes:
        place: Where it is from.
        totals: What the catalog says.
        plan: What gc would do now.
        packages: How many packages there are.
        largest: Those that take most room.
        ages: Packs by when they were needed, the newest first.
        formats: Entries by format.
        missing: How many packs records name that are not there.
        next: What gc would remove first.
        savings: What runners did, in the days that count.
        points: The same by day or week, without a gap, the oldest first.
        runners: The busiest ones.
        slowest: Packages whose avoided builds took longest.
    """

    place: Place
    totals: Totals
    plan: GcPlan
    packages: int
    largest: tuple[Held, ...]
    ages: tuple[Aged, ...]
    formats: Mapping[str, int]
    missing: int
    next: tuple[Candidate, ...]
    savings: Summary
    points: tuple[Point, ...]
    runners: tuple[RunnerSums, ...]
    slowest: tuple[PackageSums, ...]

    @property
    def now_s(self) -> int:
        """When all of this was so."""
        return self.plan.content.now_s


def plan_report(
    place: Place,
    totals: Totals,
    plan: GcPlan,
    *,
    names: Mapping[Digest, str],
    formats: Mapping[str, int],
    figures: Iterable[RunnerFigures],
) -> Report:
    """Return what is to be shown.

    Args:
        place: Where all of this is from.
        totals: What the catalog says.
        plan: What gc would do.
        names: Of which package each pack is.
        formats: Entries by format.
        figures: What each runner says that it did.
    """
    content = plan.content
    held = group_packages(content.packs, names)
    savings = summarize(_within(figures, day_of(content.now_s)))
    return Report(
        place=place,
        totals=totals,
        plan=plan,
        packages=len(held),
        largest=tuple(
            replace(one, name=clip(one.name))
            for one in sorted(held, key=lambda h: (-h.size_bytes, h.name))[:MAX_ROWS]
        ),
        ages=group_ages(content.packs, content.now_s),
        formats={clip(name): number for name, number in formats.items()},
        missing=sum(pack.is_missing for pack in content.packs),
        next=find_next(plan),
        savings=savings,
        points=find_points(savings, day_of(content.now_s)),
        runners=tuple(
            replace(one, runner=clip(one.runner))
            for one in sorted(savings.runners, key=_busiest_first)
        )[:MAX_RUNNERS],
        slowest=tuple(
            replace(package, name=clip(package.name))
            for package in savings.slowest(MAX_ROWS)
        ),
    )


def _busiest_first(one: RunnerSums) -> tuple[int, int, str]:
    return -one.sums.cost_bytes, -one.sums.pulls, one.runner


def clip(text: str) -> str:
    """Return a name that is not longer than a page can show."""
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1]}…"


def group_packages(
    packs: Iterable[Pack], names: Mapping[Digest, str]
) -> tuple[Held, ...]:
    """Return what the store holds of each package; what is missing is not held."""
    found: dict[str, list[Pack]] = {}
    for pack in packs:
        if not pack.is_missing:
            found.setdefault(names.get(pack.digest, ""), []).append(pack)
    return tuple(
        Held(
            name=name,
            packs=len(some),
            size_bytes=sum(pack.size_bytes for pack in some),
            needed_s=max(pack.needed_s for pack in some),
        )
        for name, some in found.items()
    )


def group_ages(packs: Iterable[Pack], now_s: int) -> tuple[Aged, ...]:
    """Return packs by when they were last needed, the newest first."""
    groups = [
        Aged(from_days=start, to_days=end)
        for start, end in zip((0, *AGES), (*AGES, None), strict=True)
    ]
    for pack in packs:
        age_s = now_s - pack.needed_s
        number = sum(age_s >= days * DAY_S for days in AGES)
        group = groups[number]
        groups[number] = replace(
            group,
            packs=group.packs + (not pack.is_missing),
            size_bytes=group.size_bytes + pack.size_bytes,
        )
    return tuple(groups)


def find_next(plan: GcPlan) -> tuple[Candidate, ...]:
    """Return what gc would remove now, or if nothing: what it would begin with."""
    if plan.victims:
        return tuple(
            Candidate(
                subject=clip(victim.subject),
                size_bytes=victim.size_bytes,
                needed_s=victim.needed_s,
                why=victim.why,
            )
            for victim in plan.victims[:MAX_ROWS]
        )
    there = (pack for pack in plan.content.packs if not pack.is_missing)
    oldest = sorted(there, key=attrgetter("needed_s", "digest"))
    return tuple(
        Candidate(
            subject=clip(pack.subject),
            size_bytes=pack.size_bytes,
            needed_s=pack.needed_s,
        )
        for pack in oldest[:MAX_ROWS]
    )


def find_points(savings: Summary, today: int) -> tuple[Point, ...]:
    """Return what was done by day, or by week, from the first day to today."""
    if not savings.days:
        return ()
    first = savings.days[0].day
    step = 1 if today - first < MAX_POINTS else _WEEK
    number = -(-(today + 1 - first) // step)
    return tuple(_points(savings, today + 1 - number * step, today, step))


def _points(savings: Summary, begin: int, today: int, step: int) -> Iterable[Point]:
    sums = {day.day: day.sums for day in savings.days}
    for day in range(begin, today + 1, step):
        last = day + step - 1
        yield Point(
            first_day=day,
            last_day=last,
            sums=add_sums(sums[d] for d in range(day, last + 1) if d in sums),
        )


def _within(figures: Iterable[RunnerFigures], today: int) -> Sequence[RunnerFigures]:
    """Return figures of the days that count.

    A day after today is one of a runner whose clock is wrong.
    """
    return [
        replace(
            one,
            days=tuple(d for d in one.days if today - MAX_DAYS < d.day <= today),
        )
        for one in figures
    ]
