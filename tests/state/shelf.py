"""What is in a store, read as its formats say and no code of the product decides."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.state.wares import BANS, BY_IDENTITY, PACKS, Ware
from tests.support.records import digest_of, segment_id_of
from wheelferry.store.layout import (
    parse_quarantine_name,
    parse_segment_name,
    parse_trash_name,
)
from wheelferry.store.record import Digest, Record, SegmentId
from wheelferry.store.segment import Segment, decode_segment
from wheelferry.store.tombstones import Ban


class Aside(NamedTuple):
    """What is in quarantine.

    Attributes:
        name: Of the object, or of the segment.
        since_s: When it was moved.
        is_sound: Whether it is what its name says.
        has_reason: Whether there is a file beside it that says why it is here.
    """

    name: str
    since_s: int
    is_sound: bool
    has_reason: bool


class Shelf(NamedTuple):
    """A store at one moment; times are the server's.

    Attributes:
        living: What the catalog says that the store has.
        hazy: What damaged segments say beside that: known to who had read them before.
        dead: What the catalog says that was removed, and has not come again.
        removals: Which segments say so, but for those that only merge others.
        bans: What it forbids.
        promoted_s: When packs were promoted, as far as segments that merge nothing tell.
        claimed_s: The same, of damaged segments too.
        buried: Places of records that tombstones name.
        records: What each segment has records of.
        segments: When each was written that is whole.
        broken: Those that are not.
        replaced: Which segments a merged one names.
        written_s: When each object was written.
        damaged: Objects that are not what their names say.
        trash: When objects were taken away.
        rotten: Those of them that are not what their names say: nobody looks there.
        aside: What was moved into quarantine.
    """

    living: frozenset[Ware]
    hazy: frozenset[Ware]
    dead: frozenset[Ware]
    removals: frozenset[tuple[SegmentId, Ware]]
    bans: frozenset[Ban]
    promoted_s: Mapping[Digest, int]
    claimed_s: Mapping[Digest, int]
    buried: Mapping[SegmentId, frozenset[int]]
    records: Mapping[SegmentId, tuple[Ware, ...]]
    segments: Mapping[SegmentId, int]
    broken: frozenset[SegmentId]
    replaced: Mapping[SegmentId, frozenset[SegmentId]]
    written_s: Mapping[Digest, int]
    damaged: frozenset[Digest]
    trash: frozenset[tuple[Digest, int]]
    rotten: frozenset[Digest]
    aside: frozenset[Aside]

    @property
    def named(self) -> frozenset[Digest]:
        """Packs that living records name."""
        return frozenset(ware.pack for ware in self.living)

    @property
    def sound(self) -> frozenset[Digest]:
        """Objects that are there, and what their names say."""
        return frozenset(self.written_s.keys() - self.damaged)

    @property
    def trashed(self) -> frozenset[Digest]:
        """What the trash has."""
        return frozenset(digest for digest, _ in self.trash)

    @property
    def size_bytes(self) -> int:
        """Of all objects."""
        return sum(PACKS[digest].size_bytes for digest in self.written_s)

    def forbids(self, ware: Ware) -> bool:
        """Return whether nobody may promote or restore it."""
        info = ware.planned.info
        return any(
            name == info.name and version in ("", info.version)
            for name, version in self.bans
        )


class Reader:
    """Reads one store again and again; remembers what was in segments before damage."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._segments: dict[SegmentId, Segment] = {}

    def read(self) -> Shelf:
        """Return what is there."""
        times = self._read_times()
        broken = {s for s in times if not self._is_whole(s)}
        whole = {s: self._segments[s] for s in times.keys() - broken}
        plain = {s for s in times if not self._segments[s].footer.replaces}
        records = {
            segment: tuple(map(_find_ware, self._segments[segment].records))
            for segment in times
        }
        buried = _find_buried(whole.values())
        living = _find_living(records, whole, buried)
        removals = frozenset(
            (segment, BY_IDENTITY[eviction.identity])
            for segment, decoded in whole.items()
            for eviction in decoded.footer.evicted
        )
        objects, trash = dict(self._objects()), list(self._trash())
        return Shelf(
            living=living,
            hazy=_find_living(records, broken, buried) - living,
            dead=frozenset(ware for _, ware in removals) - living,
            removals=frozenset(item for item in removals if item[0] in plain),
            bans=frozenset(ban for s in whole.values() for ban in s.footer.bans),
            promoted_s=_find_times(records, times, plain - broken),
            claimed_s=_find_times(records, times, plain),
            buried=buried,
            records=records,
            segments={segment: times[segment] for segment in whole},
            broken=frozenset(broken),
            replaced={
                segment: frozenset(decoded.footer.replaces)
                for segment, decoded in whole.items()
                if decoded.footer.replaces
            },
            written_s={digest: int(s) for digest, (s, _) in objects.items()},
            damaged=frozenset(
                d for d, (_, is_right) in objects.items() if not is_right
            ),
            trash=frozenset(item for item, _ in trash),
            rotten=frozenset(item[0] for item, is_right in trash if not is_right),
            aside=frozenset(self._aside()),
        )

    def find_simple(self) -> list[SegmentId]:
        """Return the whole segments that say what there is, and nothing else.

        Of one that says what was removed, or forbidden, the damage is known to some
        runners and not to others, for as long as they live.
        """
        footers = {s: self._segments[s].footer for s in self.read().segments}
        return sorted(
            segment
            for segment, footer in footers.items()
            if not (footer.tombstones or footer.evicted or footer.bans)
        )

    def _read_times(self) -> dict[SegmentId, int]:
        return {
            segment: int(path.stat().st_mtime)
            for path in (self._root / "catalog").iterdir()
            if (segment := parse_segment_name(path.name))
        }

    def _is_whole(self, segment: SegmentId) -> bool:
        """Return whether a segment has its bytes; what it had is remembered."""
        data = (self._root / "catalog" / f"{segment}.seg").read_bytes()
        if segment_id_of(data) != segment:
            return False
        if segment not in self._segments:
            self._segments[segment] = decode_segment(data, segment=segment)
        return True

    def _objects(self) -> Iterator[tuple[Digest, tuple[float, bool]]]:
        for digest in PACKS:
            path = self._root / "objects" / digest[:2] / digest
            if path.exists():
                right = digest_of(path.read_bytes()) == digest
                yield Digest(digest), (path.stat().st_mtime, right)

    def _trash(self) -> Iterator[tuple[tuple[Digest, int], bool]]:
        for path in (self._root / "trash").iterdir():
            parsed = parse_trash_name(path.name)
            assert parsed is not None, path
            yield parsed, digest_of(path.read_bytes()) == parsed[0]

    def _aside(self) -> Iterator[Aside]:
        for path in (self._root / "quarantine").iterdir():
            parsed = parse_quarantine_name(path.name)
            assert parsed is not None, path
            name, since_s, _, is_reason = parsed
            if not is_reason:
                is_sound = digest_of(path.read_bytes()) == name
                has_reason = path.with_name(f"{path.name}.json").exists()
                yield Aside(name, since_s, is_sound, has_reason)


def _find_ware(record: Record) -> Ware:
    ware = BY_IDENTITY[record.identity]
    assert record.pack == ware.pack, "the pack is of another tree"
    return ware


def _find_buried(segments: Iterable[Segment]) -> dict[SegmentId, frozenset[int]]:
    """Return the records that tombstones of these name."""
    found: dict[SegmentId, set[int]] = {}
    for decoded in segments:
        for tombstone in decoded.footer.tombstones:
            found.setdefault(tombstone.segment, set()).add(tombstone.number)
    return {segment: frozenset(numbers) for segment, numbers in found.items()}


def _find_living(
    records: Mapping[SegmentId, Sequence[Ware]],
    segments: Iterable[SegmentId],
    buried: Mapping[SegmentId, Collection[int]],
) -> frozenset[Ware]:
    """Return what these segments have records of that are not buried."""
    return frozenset(
        ware
        for segment in segments
        for number, ware in enumerate(records[segment])
        if number not in buried.get(segment, ())
    )


def _find_times(
    records: Mapping[SegmentId, Sequence[Ware]],
    times: Mapping[SegmentId, int],
    segments: Iterable[SegmentId],
) -> dict[Digest, int]:
    """Return when the last of these segments was written that names each pack."""
    found: dict[Digest, int] = {}
    for segment in segments:
        for ware in records[segment]:
            found[ware.pack] = max(found.get(ware.pack, 0), times[segment])
    return found


assert all(ban.name in {ware.name for ware in PACKS.values()} for ban in BANS)
