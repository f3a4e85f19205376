"""What is said of a `bench`: the verdict, and what has to be known of its figures.

Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from wheelferry.bench.facts import Measured
from wheelferry.bench.forecast import Fleet, Name
from wheelferry.bench.verdict import Day, Loss, Result
from wheelferry.bench.ways import scale_of
from wheelferry.cli.units import format_bytes, format_seconds

UNKNOWN: Final = "-"
WAYS: Final[Mapping[Name, str]] = MappingProxyType(
    {
        Name.NONE: "no sharing",
        Name.UV: "uv's cache on the share",
        Name.ARCHIVE: "a tar.zst of the cache",
        Name.WHEELFERRY: "Wheelferry",
    }
)


def conclude(result: Result) -> str:
    """Return the one sentence that says what a day of the fleet saves, or does not."""
    fleet = spell_fleet(result.days[0].fleet)
    if result.measured.lock.all_bytes is None:
        return (
            f"What a fleet of {fleet} would save cannot be told: the lock has no sizes."
        )
    parts = [_conclude_day(day) for day in result.days]
    return f"A fleet of {fleet} would save per day: {'; '.join(parts)}."


def _conclude_day(day: Day) -> str:
    saved, share, when = day.saved_bytes or 0.0, day.share_bytes, spell_fresh(day)
    if saved <= 0:
        text = "nothing of the index's traffic"
    else:
        text = f"{spell_bytes(saved)} of the index's traffic"
    if share is None:
        return f"{text}{when} (what the share carries for it was not measured)"
    more = ", which is more than that" if share > saved else ""
    return f"{text}{when}, for {spell_bytes(share)} on the share{more}"


def notes(result: Result) -> Iterator[str]:
    """Yield what has to be known of the figures, and what speaks against Wheelferry."""
    yield from result.measured.notes
    yield from _scales(result.measured)
    if result.measured.pulled is not None and result.measured.pulled.fresh.rpcs is None:
        yield "RPCs are counted on NFS only; this is a filesystem of another kind"
    spent = result.measured.spent
    if spent is not None and spent.rpcs is not None:
        yield (
            f"this run itself took {spent.rpcs:,} RPCs, and read"
            f" {spell_bytes(spent.read_bytes)} from the share"
        )
    yield from map(_spell_loss, result.losses)


def _scales(measured: Measured) -> Iterable[str]:
    pulled, sampled, archived = measured.pulled, measured.sampled, measured.archived
    if pulled is None:
        return
    if (scale := scale_of(measured.lock, pulled)) > 1.001:
        yield (
            f"scaled from {pulled.packages} of {measured.lock.packages} packages, by"
            f" {scale:.2f}"
        )
    if sampled is not None and sampled.files < pulled.tree_files:
        yield (
            f"{WAYS[Name.UV]}: scaled from {sampled.files:,} of"
            f" {pulled.tree_files:,} files"
        )
    if archived is not None and archived.tree_bytes < pulled.tree_bytes:
        yield (
            f"{WAYS[Name.ARCHIVE]}: scaled from {spell_bytes(archived.tree_bytes)} of"
            f" {spell_bytes(pulled.tree_bytes)} of files"
        )


def _spell_loss(loss: Loss) -> str:
    name = WAYS[loss.name]
    if loss.field == "seconds":
        return (
            f"{name} is ready sooner than Wheelferry here: {spell_time(loss.theirs)} for"
            f" {spell_time(loss.ours)}"
        )
    if loss.field == "rpcs":
        return (
            f"{name} needs fewer RPCs than Wheelferry here: {round(loss.theirs):,} for"
            f" {round(loss.ours):,}"
        )
    where = "of the index" if loss.name is Name.NONE else "on the share"
    return (
        f"{name} moves fewer bytes, {spell_bytes(loss.theirs)} {where}, than Wheelferry on"
        f" the share: {spell_bytes(loss.ours)}"
    )


def spell_fleet(fleet: Fleet) -> str:
    """Return a fleet's figures in words."""
    runners = "1 runner" if fleet.runners == 1 else f"{fleet.runners} runners"
    each = "" if fleet.runners == 1 else " each"
    changes = f"{fleet.changes:g} changes" if fleet.changes != 1 else "1 change"
    return f"{runners} with {fleet.jobs:g} jobs{each} and {changes} of the lock"


def spell_fresh(day: Day) -> str:
    """Return how the jobs of a day begin, as a condition; it begins with a blank."""
    if day.fleet.fresh in (0.0, 1.0):
        kept = "runners keep their caches" if not day.fleet.fresh else ""
        return f" if {kept or 'every job begins with an empty cache'}"
    return f" if {day.fleet.fresh:.0%} of the jobs begin with an empty cache"


def spell_bytes(size_bytes: float | None) -> str:
    """Return a size in words."""
    return UNKNOWN if size_bytes is None else format_bytes(round(size_bytes))


def spell_time(seconds: float | None) -> str:
    """Return a duration in words, short ones in milliseconds."""
    if seconds is None:
        return UNKNOWN
    return (
        format_seconds(seconds)
        if seconds >= 0.1 or not seconds
        else f"{seconds * 1000:.2g} ms"
    )
