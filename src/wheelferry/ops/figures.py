"""What Wheelferry carried, saved and cost, by day and package, of one runner or many.

Pure values, for whoever shows them: `wheelferry stats`, the report, a textfile.  What is
not known is counted as such (`unsized`, `untimed`) and never as nothing.

Two sums are kept apart because no rate turns one into the other: bytes, and seconds.
Days are those of UTC, as numbers of days since 1970-01-01.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final, Self

DAY_S: Final = 24 * 3600
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What runs did, in sum.

    Attributes:
        pulls: Runs of `pull`, also those that found nothing to do.
        failed: Those of them that the store, the cache or the deadline ended.
        waited_s: Seconds that jobs waited for pulls and promotions.
        background_s: Seconds that the same took where no job waited.
        pulled: Entries that were restored.
        pulled_bytes: Of their packs, from the store.
        promoted: Entries that were put into the store.
        promoted_bytes: Of their packs, to the store.
        reused: Entries that a job's lock asked for and that were in the cache already.
        reused_bytes: Of the files that an index has for them, as far as known.
        avoided_bytes: Of the files that an index would have sent for the pulled entries,
            as far as known.
        ahead_bytes: Those of `avoided_bytes` that no job's lock asked for: avoided only
            if a job uses them.
        unsized: Pulled entries for which the size of the index's file is not known.
        builds: Pulled entries that some runner had built: builds that were avoided.
        build_s: Seconds that these builds took where they were seen.
        untimed: Those of `builds` that nobody saw: their time is not known.
    """

    pulls: int = 0
    failed: int = 0
    waited_s: float = 0.0
    background_s: float = 0.0
    pulled: int = 0
    pulled_bytes: int = 0
    promoted: int = 0
    promoted_bytes: int = 0
    reused: int = 0
    reused_bytes: int = 0
    avoided_bytes: int = 0
    ahead_bytes: int = 0
    unsized: int = 0
    builds: int = 0
    build_s: float = 0.0
    untimed: int = 0

    def __add__(self, other: Self) -> Self:
        """Return both together."""
        return type(self)(**{n: getattr(self, n) + getattr(other, n) for n in SUMS})

    @property
    def cost_bytes(self) -> int:
        """Bytes that were carried to and from the store."""
        return self.pulled_bytes + self.promoted_bytes

    @property
    def net_bytes(self) -> int:
        """Bytes that an index did not have to send, less those to and from the store."""
        return self.avoided_bytes - self.cost_bytes

    @property
    def net_s(self) -> float:
        """Seconds of builds that were avoided, less those that jobs waited for us.

        Without the builds that nobody timed, and without the downloads that were avoided:
        how long these would have taken is not known.
        """
        return self.build_s - self.waited_s

    @property
    def is_complete(self) -> bool:
        """Whether every size and every build time is known."""
        return not (self.unsized or self.untimed)


SUMS: Final = tuple(field.name for field in fields(Sums))


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSums:
    """What was pulled of one package, in all its versions; `Sums` has the meanings.

    Attributes:
        name: Normalised.
        longest_s: Of `build_s`, the longest of one build; 0.0 if none was seen.
    """

    name: str
    pulled: int = 0
    pulled_bytes: int = 0
    avoided_bytes: int = 0
    unsized: int = 0
    builds: int = 0
    build_s: float = 0.0
    untimed: int = 0
    longest_s: float = 0.0

    def __add__(self, other: Self) -> Self:
        """Return both together; they are of one package."""
        return type(self)(
            name=self.name,
            **{n: getattr(self, n) + getattr(other, n) for n in PACKAGE_SUMS},
            longest_s=max(self.longest_s, other.longest_s),
        )

    @property
    def net_bytes(self) -> int:
        """Bytes that an index did not have to send, less those from the store."""
        return self.avoided_bytes - self.pulled_bytes


PACKAGE_SUMS: Final = tuple(
    field.name
    for field in fields(PackageSums)
    if field.name not in ("name", "longest_s")
)
"""What adds up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day.

    Attributes:
        day: Which, in days since 1970-01-01 (UTC).
        sums: All of it.
        packages: By name; of a day long ago, or with very many, only the largest.
    """

    day: int
    sums: Sums = Sums()
    packages: tuple[PackageSums, ...] = ()

    @property
    def date(self) -> date:
        """The day as a date."""
        return date_of(self.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerFigures:
    """What one runner did.

    Attributes:
        runner: Its name; machines that were cloned have the same one.
        days: The oldest first, none twice.
    """

    runner: str
    days: tuple[Day, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSums:
    """One runner's sums, over the time that was asked for."""

    runner: str
    sums: Sums
    last_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one runner, or a fleet, did since a day.

    Attributes:
        since_day: The first day that counts; None for all.
        total: All of it.
        days: By day, the oldest first; days without anything are left out.
        packages: By name.
        runners: By name; those with nothing in the time are left out.
    """

    since_day: int | None
    total: Sums
    days: tuple[Day, ...]
    packages: tuple[PackageSums, ...]
    runners: tuple[RunnerSums, ...]

    def largest(self, number: int) -> tuple[PackageSums, ...]:
        """Return the packages of which most bytes came from the store."""
        return _top(self.packages, number, attrgetter("pulled_bytes"))

    def most_avoided(self, number: int) -> tuple[PackageSums, ...]:
        """Return the packages of which an index would have sent most bytes."""
        return _top(self.packages, number, attrgetter("avoided_bytes"))

    def slowest(self, number: int) -> tuple[PackageSums, ...]:
        """Return the packages whose avoided builds took most seconds, as far as seen."""
        return _top(self.packages, number, attrgetter("build_s"))


def summarize(
    runners: Iterable[RunnerFigures], *, since_day: int | None = None
) -> Summary:
    """Return what runners did, from a day on.

    Args:
        runners: Of any number of runners; one name may come more than once.
        since_day: The first day that counts; None for all.
    """
    by_runner: dict[str, RunnerSums] = {}
    kept: list[Day] = []
    for figures in runners:
        days = [d for d in figures.days if since_day is None or d.day >= since_day]
        if not days:
            continue
        kept += days
        before = by_runner.get(figures.runner)
        sums = add_sums(day.sums for day in days)
        last_day = max(day.day for day in days)
        by_runner[figures.runner] = RunnerSums(
            runner=figures.runner,
            sums=sums if before is None else before.sums + sums,
            last_day=last_day if before is None else max(last_day, before.last_day),
        )
    merged = merge_days(kept)
    return Summary(
        since_day=since_day,
        total=add_sums(day.sums for day in merged),
        days=merged,
        packages=merge_packages(p for day in merged for p in day.packages),
        runners=tuple(by_runner[name] for name in sorted(by_runner)),
    )


def add_sums(sums: Iterable[Sums]) -> Sums:
    """Return all together."""
    return sum(sums, Sums())


def merge_days(days: Iterable[Day]) -> tuple[Day, ...]:
    """Return one for each day, the oldest first."""
    found = sorted(days, key=attrgetter("day"))
    return tuple(
        Day(
            day=number,
            sums=add_sums(day.sums for day in same),
            packages=merge_packages(p for day in same for p in day.packages),
        )
        for number, same in _grouped(found)
    )


def merge_packages(packages: Iterable[PackageSums]) -> tuple[PackageSums, ...]:
    """Return one for each package, by name."""
    found: dict[str, PackageSums] = {}
    for package in packages:
        before = found.get(package.name)
        found[package.name] = package if before is None else before + package
    return tuple(found[name] for name in sorted(found))


def day_of(now_s: float) -> int:
    """Return the day of a time in seconds since the epoch."""
    return int(now_s // DAY_S)


def date_of(day: int) -> date:
    """Return a day as a date."""
    return _EPOCH + timedelta(days=day)


def _grouped(days: Sequence[Day]) -> Iterable[tuple[int, list[Day]]]:
    for number, same in groupby(days, key=attrgetter("day")):
        yield number, list(same)  # both sums go through it


def _top(
    packages: Sequence[PackageSums], number: int, key: "attrgetter[float]"
) -> tuple[PackageSums, ...]:
    found = [package for package in packages if key(package) > 0]
    return tuple(sorted(found, key=lambda p: (-key(p), p.name))[:number])
