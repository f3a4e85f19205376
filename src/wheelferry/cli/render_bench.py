"""What `bench` has found out, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from wheelferry.bench.facts import LockFacts, Measured, ShareFacts
from wheelferry.bench.forecast import Cost, Fleet, Name, Way
from wheelferry.bench.verdict import Day, Loss, Result
from wheelferry.bench.ways import scale_of
from wheelferry.cli.units import count, format_bytes, format_seconds, render_table

_NAMES: Final[Mapping[Name, str]] = MappingProxyType(
    {
        Name.NONE: "no sharing",
        Name.UV: "uv's cache on the share",
        Name.ARCHIVE: "a tar.zst of the cache",
        Name.WHEELFERRY: "Wheelferry",
    }
)
_UNKNOWN: Final = "-"
_HEADER: Final = ("way", "from the index", "on the share", "RPCs", "time")
_RIGHT: Final = (1, 2, 3, 4)


def encode_result(result: Result, duration_s: float) -> dict[str, object]:
    """Return all of it as JSON has it."""
    measured = result.measured
    pulled, sampled, archived = measured.pulled, measured.sampled, measured.archived
    fleet = result.days[0].fleet
    return {
        "fleet": {
            "runners": fleet.runners,
            "jobs": fleet.jobs,
            "changes": fleet.changes,
        },
        "lock": {
            "packages": measured.lock.packages,
            "sized": measured.lock.sized,
            "index_bytes": measured.lock.index_bytes,
        },
        "share": {
            "fs_type": measured.share.fs_type,
            "answer_s": measured.share.answer_s,
            "write_bytes_s": _rounded(measured.share.write_bytes_s),
            "read_bytes_s": _rounded(measured.share.read_bytes_s),
            "file_write_s": measured.share.file_write_s,
            "file_read_s": measured.share.file_read_s,
        },
        "measured": {
            "source": pulled.source if pulled else None,
            "packages": pulled.packages if pulled else 0,
            "pack_bytes": pulled.pack_bytes if pulled else 0,
            "tree_files": pulled.tree_files if pulled else 0,
            "tree_bytes": pulled.tree_bytes if pulled else 0,
            "sample_files": sampled.files if sampled else 0,
            "archive_bytes": archived.archive_bytes if archived else 0,
        },
        "ways": [_encode_way(way) for way in result.ways],
        "days": [
            {
                "fresh": day.fleet.fresh,
                "costs": [
                    {"way": name.value, **_encode_cost(cost)}
                    for name, cost in day.costs.items()
                ],
                "saved_bytes": _rounded(day.saved_bytes),
            }
            for day in result.days
        ],
        "losses": [
            {"way": loss.name.value, "in": loss.field} for loss in result.losses
        ],
        "notes": list(_notes(result)),
        "conclusion": conclude(result),
        "left_behind": measured.left_behind or None,
        "duration_s": round(duration_s, 3),
    }


def render_result(result: Result) -> str:
    """Return tables of what one job costs and what the fleet's days do, and the verdict."""
    fleet = result.days[0].fleet
    blocks = [
        "\n".join(
            [_render_lock(result.measured.lock), *_render_share(result.measured.share)]
        ),
        _render_costs(
            "a job that begins with an empty cache",
            {way.name: way.fresh for way in result.ways},
        ),
        _render_costs(
            "a job whose cache has all of it",
            {way.name: way.again for way in result.ways},
        ),
    ]
    blocks += [
        _render_costs(f"a day of {_spell_fleet(fleet)}{_spell_fresh(day)}", day.costs)
        for day in result.days
    ]
    if notes := list(_notes(result)):
        blocks.append("\n".join(f"note: {note}" for note in notes))
    blocks.append(conclude(result))
    return "\n\n".join(blocks)


def conclude(result: Result) -> str:
    """Return the one sentence that says what a day of the fleet saves, or does not."""
    fleet = _spell_fleet(result.days[0].fleet)
    if result.measured.lock.all_bytes is None:
        return (
            f"What Wheelferry would save {fleet} cannot be told: the lock has no sizes."
        )
    parts = [_conclude_day(day) for day in result.days]
    return f"Wheelferry would save {fleet} {'; '.join(parts)}."


def _conclude_day(day: Day) -> str:
    saved, share, when = day.saved_bytes or 0.0, day.share_bytes, _spell_fresh(day)
    if saved <= 0:
        text = "nothing of the index's traffic in a day"
    else:
        text = f"{_bytes(saved)} of the index's traffic in a day"
    if share is None:
        return f"{text}{when} (what the share would carry for it was not measured)"
    more = ", which is more than it saves" if share > saved else ""
    return f"{text}{when}, and move {_bytes(share)} over the share for it{more}"


def _render_lock(lock: LockFacts) -> str:
    text = f"a job needs {count(lock.packages, 'package')}"
    if not lock.sized:
        return f"{text}; the lock has no sizes of them"
    text += f", {_bytes(lock.index_bytes)} from the index"
    missing = lock.packages - lock.sized
    return (
        f"{text} (without {missing} that have no size in the lock)" if missing else text
    )


def _render_share(share: ShareFacts) -> Iterator[str]:
    parts = []
    if share.answer_s is not None:
        parts.append(f"answers in {_time(share.answer_s)}")
    if share.write_bytes_s is not None:
        parts.append(f"writes {_bytes(share.write_bytes_s)}/s")
    if share.read_bytes_s is not None:
        parts.append(f"reads {_bytes(share.read_bytes_s)}/s")
    if share.file_write_s is not None:
        parts.append(f"a small file takes {_time(share.file_write_s)} to write")
    if share.file_read_s is not None:
        parts.append(f"{_time(share.file_read_s)} to read")
    if parts:
        yield f"the share ({share.fs_type or 'of unknown kind'}): {', '.join(parts)}"


def _render_costs(title: str, costs: Mapping[Name, Cost]) -> str:
    rows = [
        (
            _NAMES[name],
            _bytes(cost.index_bytes),
            _bytes(cost.share_bytes),
            _UNKNOWN if cost.rpcs is None else f"{round(cost.rpcs):,}",
            _time(cost.seconds),
        )
        for name, cost in costs.items()
    ]
    return f"{title}\n{render_table(rows, header=_HEADER, right=_RIGHT)}"


def _notes(result: Result) -> Iterator[str]:
    """Yield what has to be known of the figures, and what speaks against Wheelferry."""
    yield from result.measured.notes
    yield from _scales(result.measured)
    if result.measured.pulled is not None and result.measured.pulled.fresh.rpcs is None:
        yield "RPCs are counted on NFS only; this is a filesystem of another kind"
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
            f"{_NAMES[Name.UV]}: scaled from {sampled.files:,} of"
            f" {pulled.tree_files:,} files"
        )
    if archived is not None and archived.tree_bytes < pulled.tree_bytes:
        yield (
            f"{_NAMES[Name.ARCHIVE]}: scaled from {_bytes(archived.tree_bytes)} of"
            f" {_bytes(pulled.tree_bytes)} of files"
        )


def _spell_loss(loss: Loss) -> str:
    name = _NAMES[loss.name]
    if loss.field == "seconds":
        return (
            f"{name} is ready sooner than Wheelferry here: {_time(loss.theirs)} for"
            f" {_time(loss.ours)}"
        )
    if loss.field == "rpcs":
        return (
            f"{name} needs fewer RPCs than Wheelferry here: {round(loss.theirs):,} for"
            f" {round(loss.ours):,}"
        )
    where = "of the index" if loss.name is Name.NONE else "on the share"
    return (
        f"{name} moves fewer bytes, {_bytes(loss.theirs)} {where}, than Wheelferry on"
        f" the share: {_bytes(loss.ours)}"
    )


def _spell_fleet(fleet: Fleet) -> str:
    runners = "1 runner" if fleet.runners == 1 else f"{fleet.runners} runners"
    each = "" if fleet.runners == 1 else " each"
    changes = f"{fleet.changes:g} changes" if fleet.changes != 1 else "1 change"
    return f"{runners} with {fleet.jobs:g} jobs{each} and {changes} of the lock"


def _spell_fresh(day: Day) -> str:
    if day.fleet.fresh in (0.0, 1.0):
        kept = "runners keep their caches" if not day.fleet.fresh else ""
        return f" if {kept or 'every job begins with an empty cache'}"
    return f" if {day.fleet.fresh:.0%} of the jobs begin with an empty cache"


def _encode_way(way: Way) -> dict[str, object]:
    return {
        "way": way.name.value,
        "fresh": _encode_cost(way.fresh),
        "again": _encode_cost(way.again),
        "publish": _encode_cost(way.publish),
        "follow": _encode_cost(way.follow),
    }


def _encode_cost(cost: Cost) -> dict[str, object]:
    return {
        "index_bytes": _rounded(cost.index_bytes),
        "share_bytes": _rounded(cost.share_bytes),
        "rpcs": _rounded(cost.rpcs),
        "wait_s": None if cost.seconds is None else round(cost.seconds, 6),
    }


def _rounded(number: float | None) -> int | None:
    return None if number is None else round(number)


def _bytes(size_bytes: float | None) -> str:
    return _UNKNOWN if size_bytes is None else format_bytes(round(size_bytes))


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _UNKNOWN
    return (
        format_seconds(seconds)
        if seconds >= 0.1 or not seconds
        else f"{seconds * 1000:.2g} ms"
    )
