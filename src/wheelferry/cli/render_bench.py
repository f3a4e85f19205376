"""What `bench` has found out, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from wheelferry.bench.facts import LockFacts, ShareFacts
from wheelferry.bench.forecast import Cost, Name, Way
from wheelferry.bench.verdict import Result
from wheelferry.cli.tell_bench import (
    UNKNOWN,
    WAYS,
    conclude,
    notes,
    spell_bytes,
    spell_fleet,
    spell_fresh,
    spell_time,
)
from wheelferry.cli.units import count, render_table

_HEADER: Final = ("way", "from the index", "on the share", "RPCs", "time to ready")
_RIGHT: Final = (1, 2, 3, 4)


def encode_result(result: Result, duration_s: float) -> dict[str, object]:
    """Return all of it as JSON has it."""
    measured = result.measured
    pulled, sampled, archived = measured.pulled, measured.sampled, measured.archived
    fleet, spent = result.days[0].fleet, measured.spent
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
        "spent": {
            "rpcs": spent.rpcs if spent else None,
            "read_bytes": spent.read_bytes
            if spent and spent.rpcs is not None
            else None,
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
        "notes": list(notes(result)),
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
        _render_costs(f"a day of {spell_fleet(fleet)},{spell_fresh(day)}", day.costs)
        for day in result.days
    ]
    if said := list(notes(result)):
        blocks.append("\n".join(f"note: {note}" for note in said))
    blocks.append(conclude(result))
    return "\n\n".join(blocks)


def _render_lock(lock: LockFacts) -> str:
    text = f"a job needs {count(lock.packages, 'package')}"
    if not lock.sized:
        return f"{text}; the lock has no sizes of them"
    text += f", {spell_bytes(lock.index_bytes)} from the index"
    missing = lock.packages - lock.sized
    return (
        f"{text} (without {missing} that have no size in the lock)" if missing else text
    )


def _render_share(share: ShareFacts) -> Iterator[str]:
    parts = []
    if share.answer_s is not None:
        parts.append(f"answers in {spell_time(share.answer_s)}")
    if share.write_bytes_s is not None:
        parts.append(f"writes {spell_bytes(share.write_bytes_s)}/s")
    if share.read_bytes_s is not None:
        parts.append(f"reads {spell_bytes(share.read_bytes_s)}/s")
    if share.file_write_s is not None:
        parts.append(f"a small file takes {spell_time(share.file_write_s)} to write")
    if share.file_read_s is not None:
        parts.append(f"{spell_time(share.file_read_s)} to read")
    if parts:
        yield f"the share ({share.fs_type or 'of unknown kind'}): {', '.join(parts)}"


def _render_costs(title: str, costs: Mapping[Name, Cost]) -> str:
    rows = [
        (
            WAYS[name],
            spell_bytes(cost.index_bytes),
            spell_bytes(cost.share_bytes),
            UNKNOWN if cost.rpcs is None else f"{round(cost.rpcs):,}",
            spell_time(cost.seconds),
        )
        for name, cost in costs.items()
    ]
    return f"{title}\n{render_table(rows, header=_HEADER, right=_RIGHT)}"


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
