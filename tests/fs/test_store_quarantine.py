"""What is moved aside in a directory: names, reasons, links, kills, and leftovers."""

import json
import os
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk, Died, DyingDisk, FailingDisk
from tests.support.forge import add_segment, object_path, overwrite
from tests.support.records import digest_of
from wheelferry.disk import Disk
from wheelferry.errors import StoreUnavailable
from wheelferry.store.create import create_store
from wheelferry.store.layout import parse_quarantine_name
from wheelferry.store.posix import PosixStore
from wheelferry.store.reading import Reads
from wheelferry.store.record import SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.upkeep import Quarantined

DATA = b"an object" * 100
BAD = b"another object"
DIGEST = digest_of(DATA)
REASON = json.dumps({"reason": "it is damaged"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one object, which is damaged."""
    create_store(tmp_path / "store", disk=Disk(), now_s=0.0)
    store_in(tmp_path / "store").put_object([DATA], digest=DIGEST, size_bytes=len(DATA))
    overwrite(object_path(tmp_path / "store", DIGEST), BAD)
    return tmp_path / "store"


def store_in(
    root: Path, disk: Disk | None = None, reads: Reads | None = None
) -> PosixStore:
    """Return a runner's handle on the store."""
    return PosixStore(root, disk=disk or Disk(), runner="r1", reads=reads)


def quarantine(root: Path) -> dict[str, bytes]:
    """Return what is in quarantine."""
    return {path.name: path.read_bytes() for path in root.glob("quarantine/*")}


def test_object_is_kept_with_its_reason_beside_it(root: Path) -> None:
    """Under flat names that say when and what."""
    store_in(root).upkeep.quarantine_object(DIGEST, at_s=1_700_000_000, reason=REASON)
    name = f"1700000000-{DIGEST}"

    assert quarantine(root) == {name: BAD, f"{name}.json": REASON.encode()}
    assert not object_path(root, DIGEST).exists()
    assert list(store_in(root).upkeep.list_foreign()) == []


def test_segment_is_kept_with_its_reason_beside_it(root: Path) -> None:
    """Its suffix tells it from an object."""
    path = root / add_segment(root, encode_segment([], runner="r1", created_s=1))
    overwrite(path, b"no segment")
    store = store_in(root)
    store.upkeep.quarantine_segment(SegmentId(path.stem), at_s=7, reason=REASON)

    assert quarantine(root).keys() == {
        f"0000000007-{path.stem}.seg",
        f"0000000007-{path.stem}.seg.json",
    }
    assert store.upkeep.list_quarantine() == [Quarantined(path.stem, 7, 10, True)]
    assert store.list_segments() == frozenset()
    assert list(store.upkeep.list_foreign()) == []


def test_segment_of_the_right_digest_that_is_none_is_quarantined(root: Path) -> None:
    """Its bytes are as they were written, and no reader can read them."""
    data = encode_segment([], runner="r1", created_s=1)[:-1]
    name = add_segment(root, data)
    segment = SegmentId(Path(name).stem)

    assert store_in(root).upkeep.quarantine_segment(segment, at_s=7, reason=REASON)


def test_segment_of_a_newer_version_stays(root: Path) -> None:
    """Others can read it."""
    data = bytearray(encode_segment([], runner="r1", created_s=1))
    data[8] = data[-12] = 2
    name = add_segment(root, bytes(data))
    segment = SegmentId(Path(name).stem)

    assert not store_in(root).upkeep.quarantine_segment(segment, at_s=7, reason=REASON)
    assert (root / name).exists()
    assert quarantine(root) == {}


class Healing(Disk):
    """Has another host put a sound object there just before the n-th rename."""

    def __init__(self, root: Path, number: int) -> None:
        self._root = root
        self._left = number

    def rename(self, source, target) -> None:
        self._left -= 1
        if not self._left:
            overwrite(object_path(self._root, DIGEST), DATA)
        super().rename(source, target)


def test_object_that_was_replaced_meanwhile_is_brought_back(root: Path) -> None:
    """What was read twice is not what is moved: it is looked at once more."""
    store = store_in(root, Healing(root, 2))

    assert not store.upkeep.quarantine_object(DIGEST, at_s=7, reason=REASON)
    assert object_path(root, DIGEST).read_bytes() == DATA
    assert quarantine(root) == {}


@pytest.mark.parametrize("is_healed", [False, True])
def test_what_was_moved_aside_within_the_same_second_stays(
    root: Path, is_healed: bool
) -> None:
    """Nothing is renamed over it, nor brought back in its place."""
    store_in(root).upkeep.quarantine_object(DIGEST, at_s=7, reason=REASON)
    object_path(root, DIGEST).write_bytes(b"other damage")
    disk = Healing(root, 2) if is_healed else Disk()

    taken = store_in(root, disk).upkeep.quarantine_object(DIGEST, at_s=7, reason="{}")

    first = {f"0000000007-{DIGEST}": BAD, f"0000000007-{DIGEST}.json": REASON.encode()}
    second = {
        f"0000000008-{DIGEST}": b"other damage",
        f"0000000008-{DIGEST}.json": b"{}",
    }
    assert taken is not is_healed
    assert quarantine(root) == (first if is_healed else first | second)


def test_sound_object_gives_way_to_one_that_came_meanwhile(root: Path) -> None:
    """Nothing is renamed over what has the name by then."""

    class Twice(Healing):
        def rename(self, source, target) -> None:
            super().rename(source, target)
            if Path(source) == object_path(root, DIGEST):
                object_path(root, DIGEST).write_bytes(DATA)

    path = object_path(root, DIGEST)
    disk = Twice(root, 2)
    assert not store_in(root, disk).upkeep.quarantine_object(
        DIGEST, at_s=7, reason=REASON
    )
    assert path.read_bytes() == DATA
    assert quarantine(root) == {}


@pytest.mark.parametrize("where", ["objects", f"objects/{DIGEST[:2]}", "quarantine"])
def test_nothing_is_moved_through_a_link(root: Path, where: str) -> None:
    """Whoever can write to the store must not have an admin move files elsewhere."""
    elsewhere = root.parent / "elsewhere"
    (root / where).rename(elsewhere)
    (root / where).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))

    with pytest.raises(StoreUnavailable):
        store_in(root).upkeep.quarantine_object(DIGEST, at_s=7, reason=REASON)
    assert sorted(elsewhere.rglob("*")) == before
    assert (where, "it is not a directory") in list(
        store_in(root).upkeep.list_foreign()
    )


def test_link_in_the_place_of_an_object_is_not_moved(root: Path) -> None:
    """It is foreign, and nothing is read through it."""
    path = object_path(root, DIGEST)
    path.rename(root.parent / "elsewhere")
    path.symlink_to(root.parent / "elsewhere")

    assert not store_in(root).upkeep.quarantine_object(DIGEST, at_s=7, reason=REASON)
    assert path.is_symlink()


def test_full_share_has_room_for_a_quarantine(root: Path) -> None:
    """A rename needs none; the reason is done without."""

    class Full(Disk):
        def write(self, fd, data) -> None:
            del fd, data
            raise OSError(28, "full")

    assert store_in(root, Full()).upkeep.quarantine_object(
        DIGEST, at_s=7, reason=REASON
    )
    assert quarantine(root) == {f"0000000007-{DIGEST}": BAD}


def test_killed_anywhere_the_object_is_in_one_place(root: Path) -> None:
    """Damaged where it was, or aside; and the next one does the rest."""
    counting = CountingDisk()
    path = object_path(root, DIGEST)
    store_in(root, counting).upkeep.quarantine_object(DIGEST, at_s=7, reason=REASON)
    places = set()
    for step in range(1, counting.steps + 1):
        for left in (*root.glob("quarantine/*"), *root.glob("staging/*/*")):
            left.unlink()
        path.write_bytes(BAD)
        with pytest.raises(Died):
            store_in(root, DyingDisk(step)).upkeep.quarantine_object(
                DIGEST, at_s=7, reason=REASON
            )

        is_aside = f"0000000007-{DIGEST}" in quarantine(root)
        assert is_aside != path.exists(), step
        places.add((is_aside, len(quarantine(root))))
        store_in(root).upkeep.quarantine_object(DIGEST, at_s=8, reason=REASON)
        items = store_in(root).upkeep.list_quarantine()
        assert sum(item.size_bytes for item in items) == len(BAD), step
        assert all(store_in(root).upkeep.purge_quarantined(item) for item in items)
        assert quarantine(root) == {}, step
        path.unlink(missing_ok=True)
    assert places >= {(False, 0), (False, 1)}


def test_rename_that_fails_leaves_no_reason(root: Path) -> None:
    """Another host took the object away in between."""

    class Late(Disk):
        def rename(self, source, target) -> None:
            if Path(source) == object_path(root, DIGEST):
                object_path(root, DIGEST).unlink()
            super().rename(source, target)

    assert not store_in(root, Late()).upkeep.quarantine_object(
        DIGEST, at_s=7, reason=REASON
    )
    assert quarantine(root) == {}


@pytest.mark.parametrize("is_cached", [True, False])
def test_host_that_was_slower_by_less_than_a_second_leaves_the_reason(
    root: Path, is_cached: bool
) -> None:
    """It is the other's; to an NFS client both names of the object may be one file."""
    target = root / "quarantine" / f"0000000007-{DIGEST}"

    class Slower(Disk):
        def rename(self, source, target) -> None:
            if Path(source) == object_path(root, DIGEST):
                target.hardlink_to(source)
                if not is_cached:
                    source.unlink()
            super().rename(source, target)

    assert not store_in(root, Slower()).upkeep.quarantine_object(
        DIGEST, at_s=7, reason=REASON
    )
    assert quarantine(root) == {
        target.name: BAD,
        f"{target.name}.json": REASON.encode(),
    }


def test_quarantine_that_cannot_be_written_says_so(root: Path) -> None:
    """With the path that it was about."""
    with pytest.raises(StoreUnavailable, match=DIGEST):
        store_in(root, FailingDisk("rename", 5)).upkeep.quarantine_object(
            DIGEST, at_s=7, reason=REASON
        )
    assert object_path(root, DIGEST).exists()


def test_what_is_not_ours_in_quarantine_is_left_alone(root: Path) -> None:
    """Names are taken whole or not at all; a link is nothing."""
    aside = root / "quarantine"
    (aside / "notes").write_text("")
    (aside / f"0000000001-{DIGEST}.txt").write_text("")
    (aside / f"0000000002-{DIGEST}").symlink_to(root / "wheelferry.json")
    (aside / f"0000000003-{DIGEST}.json").write_text("only a reason")
    store = store_in(root)

    assert store.upkeep.list_quarantine() == [Quarantined(DIGEST, 3, 0, False)]
    assert len(list(store.upkeep.list_foreign())) == 3
    assert store.upkeep.purge_quarantined(Quarantined(DIGEST, 3, 0, False))
    assert len(quarantine(root)) == 3


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        (f"0000000012-{DIGEST}", (DIGEST, 12, False, False)),
        (f"0000000012-{DIGEST}.json", (DIGEST, 12, False, True)),
        (f"0000000012-{DIGEST}.seg", (DIGEST, 12, True, False)),
        (f"0000000012-{DIGEST}.seg.json", (DIGEST, 12, True, True)),
        (f"0000000012-{DIGEST}.json.seg", None),
        (f"12-{DIGEST}", None),
        (f"0000000012-{DIGEST.upper()}", None),
        (f"../0000000012-{DIGEST}", None),
    ],
)
def test_quarantine_names(name: str, parsed: object) -> None:
    """One form, and nothing else."""
    assert parse_quarantine_name(name) == parsed


def test_leftovers_of_all_runners_are_found_and_removed(root: Path) -> None:
    """Files and folders with names of ours, in runners' own directories."""
    (root / "staging/gone").mkdir()
    staged = root / "staging/gone" / f"{'ab' * 16}.tmp"
    staged.write_bytes(b"half")
    os.utime(staged, (1000, 1000))
    trial = root / "staging/gone" / f"{'cd' * 16}.try"
    (trial / "deep").mkdir(parents=True)
    (trial / "deep/file").write_bytes(b"")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / staged.name).write_bytes(b"mine")
    (root / "staging/link").symlink_to(outside)
    (trial.parent / f"{'ef' * 16}.tmp").symlink_to(outside / staged.name)
    store = store_in(root)

    found = {path: (size, when) for path, size, when in store.upkeep.list_leftovers()}
    assert found.keys() == {
        f"staging/gone/{staged.name}",
        f"staging/gone/{trial.name}",
    }
    assert found[f"staging/gone/{staged.name}"] == (4, 1000)
    assert all(store.upkeep.remove_leftover(path) for path in found)
    assert not staged.exists()
    assert not trial.exists()
    assert not store.upkeep.remove_leftover(f"staging/link/{staged.name}")
    assert (outside / staged.name).read_bytes() == b"mine"
