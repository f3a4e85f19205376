"""What is in a store, read as its formats say and no code of the product decides."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.state.wares import BANS, BY_IDENTITY, PACKS, Ware
from tests.support.records import digest_of
from wheelferry.store.layout import parse_segment_name, parse_trash_name
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import Segment, decode_segment
from wheelferry.store.tombstones import Ban


class Shelf(NamedTuple):
    """A store at one moment; times are the server's.

    Attributes:
        living: What the catalog says that the store has.
        dead: What it says that was removed, and has not come again.
        bans: What it forbids.
        promoted_s: When packs were promoted, as far as segments that merge nothing tell.
        buried: Places of records that tombstones name.
        segments: When each was written.
        replaced: Which segments a merged one names.
        written_s: When each object was written.
        damaged: Objects that are not what their names say.
        trash: When objects were taken away.
    """

    living: frozenset[Ware]
    dead: frozenset[Ware]
    bans: frozenset[Ban]
    promoted_s: Mapping[Digest, int]
    buried: Mapping[SegmentId, frozenset[int]]
    segments: Mapping[SegmentId, int]
    replaced: Mapping[SegmentId, frozenset[SegmentId]]
    written_s: Mapping[Digest, int]
    damaged: frozenset[Digest]
    trash: frozenset[tuple[Digest, int]]

    @property
    def named(self) -> frozenset[Digest]:
        """Packs that living records name."""
        return frozenset(ware.pack for ware in self.living)

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
    """Reads one store again and again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._segments: dict[SegmentId, Segment] = {}

    def read(self) -> Shelf:
        """Return what is there."""
        times = {
            segment: int(path.stat().st_mtime)
            for path in (self._root / "catalog").iterdir()
            if (segment := parse_segment_name(path.name))
        }
        catalog = {segment: self._decode(segment) for segment in times}
        buried: dict[SegmentId, set[int]] = {}
        for decoded in catalog.values():
            for tombstone in decoded.footer.tombstones:
                buried.setdefault(tombstone.segment, set()).add(tombstone.number)
        living, dead = set[Ware](), set[Ware]()
        promoted_s: dict[Digest, int] = {}
        for segment, decoded in catalog.items():
            for number, record in enumerate(decoded.records):
                ware = BY_IDENTITY[record.identity]
                assert record.pack == ware.pack, "the pack is of another tree"
                killed = number in buried.get(segment, ())
                (dead if killed else living).add(ware)
                if not decoded.footer.replaces:
                    last_s = max(promoted_s.get(ware.pack, 0), times[segment])
                    promoted_s[ware.pack] = last_s
        objects = dict(self._objects())
        return Shelf(
            living=frozenset(living),
            dead=frozenset(dead - living),
            bans=frozenset(
                ban for decoded in catalog.values() for ban in decoded.footer.bans
            ),
            promoted_s=promoted_s,
            buried={segment: frozenset(found) for segment, found in buried.items()},
            segments=times,
            replaced={
                segment: frozenset(decoded.footer.replaces)
                for segment, decoded in catalog.items()
                if decoded.footer.replaces
            },
            written_s={digest: int(s) for digest, (s, _) in objects.items()},
            damaged=frozenset(
                d for d, (_, is_right) in objects.items() if not is_right
            ),
            trash=frozenset(self._trash()),
        )

    def _decode(self, segment: SegmentId) -> Segment:
        if segment not in self._segments:
            data = (self._root / "catalog" / f"{segment}.seg").read_bytes()
            self._segments[segment] = decode_segment(data, segment=segment)
        return self._segments[segment]

    def _objects(self) -> Iterator[tuple[Digest, tuple[float, bool]]]:
        for digest in PACKS:
            path = self._root / "objects" / digest[:2] / digest
            if path.exists():
                right = digest_of(path.read_bytes()) == digest
                yield Digest(digest), (path.stat().st_mtime, right)

    def _trash(self) -> Iterator[tuple[Digest, int]]:
        for path in (self._root / "trash").iterdir():
            parsed = parse_trash_name(path.name)
            assert parsed is not None, path
            yield parsed


assert all(ban.name in {ware.name for ware in PACKS.values()} for ban in BANS)
