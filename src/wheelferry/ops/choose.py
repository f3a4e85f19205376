"""Which of the store's records to restore: pure.

Several records may lie at one place of the cache: of other content (the same file name
with other hashes), of another format (two uv versions that share a bucket's name), or
with another pack (the same sdist built by two runners, for machines that may differ).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wheelferry.ops.left import Left
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord


class Choice(NamedTuple):
    """What to restore, one record per place, and what is left out.

    Attributes:
        unfit: One record of each place that has only such as this machine cannot use.
    """

    records: tuple[LightRecord, ...]
    left: tuple[Left, ...]
    unfit: tuple[LightRecord, ...] = ()


def choose(
    records: Iterable[LightRecord],
    *,
    format_ids: Sequence[str],
    missing: Collection[Digest],
    unfit: Callable[[LightRecord], str | None],
) -> Choice:
    """Choose one record for each place in the cache.

    Args:
        records: The catalog.
        format_ids: Formats to restore, the preferred ones first; others are left out.
        missing: Packs that were found missing or damaged; another record is preferred.
        unfit: Says why this machine cannot use a record, or None.

    Records whose hashes differ are ambiguous: nothing says which file is meant, so none
    is restored.  A record without hashes yields to one that has them.  One that this machine
    cannot use yields to all others.
    """
    rank = {format_id: number for number, format_id in enumerate(format_ids)}
    chosen: list[LightRecord] = []
    left: list[Left] = []
    out: list[LightRecord] = []
    for place in _by_place(r for r in records if r.format_id in rank).values():
        hashed = [record for record in place if record.joined_hashes]
        if _disagree(hashed):
            left.append(_ambiguous(hashed))
            continue
        place.sort(
            key=lambda r: (
                not r.joined_hashes,
                r.pack in missing,
                rank[r.format_id],
                r.pack,
                r.joined_needs,
            )
        )
        for record in place:
            if unfit(record) is None:
                chosen.append(record)
                break
        else:
            out.append(place[0])
    return Choice(records=tuple(chosen), left=tuple(left), unfit=tuple(out))


def subject_of(record: LightRecord) -> str:
    """Name a record for people."""
    return f"{record.name} {record.version} ({record.kind}, {record.format_id})"


def _by_place(
    records: Iterator[LightRecord],
) -> Mapping[tuple[str, ...], list[LightRecord]]:
    places: dict[tuple[str, ...], list[LightRecord]] = {}
    for record in records:
        bucket = record.format_id.partition("/")[0]
        place = (bucket, record.shard, record.settings, record.stem)
        places.setdefault(place, []).append(record)
    return places


def _disagree(records: Iterable[LightRecord]) -> bool:
    """Return whether two records cannot be of one file.

    Of one file an index may give a SHA-256 to one runner, and an MD5 too to another.
    """
    values: dict[str, str] = {}
    algorithms: set[str] | None = None
    for record in records:
        found = dict(text.split(":", 1) for text in record.hashes)
        algorithms = found.keys() & (found.keys() if algorithms is None else algorithms)
        if any(
            values.setdefault(name, value) != value for name, value in found.items()
        ):
            return True
    return algorithms is not None and not algorithms


def _ambiguous(records: list[LightRecord]) -> Left:
    hashes = sorted({" ".join(record.hashes) for record in records})
    return Left(
        subject=subject_of(records[0]),
        is_fault=True,
        reason=f"ambiguous: the store has it with different hashes ({', '.join(hashes)})",
    )
