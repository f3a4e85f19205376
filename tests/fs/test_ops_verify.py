"""`verify` sees each kind of damage, names it, and says how bad it is."""

import io
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.support.cachetree import few, make_cache, plan
from tests.support.forge import (
    add_object,
    add_segment,
    forge_segment,
    object_path,
    overwrite,
    read_only_segment,
    replace_records,
)
from tests.support.parts import Around
from tests.support.reads import CountingReads
from tests.support.removing import collect
from tests.support.soundness import objects
from tests.support.tiers import Ferry, make_store
from wheelferry.cli.failure import run_guarded
from wheelferry.cli.session import Process
from wheelferry.disk import Disk
from wheelferry.errors import StoreSilent
from wheelferry.events import Event, discard
from wheelferry.ops.finding import Severity
from wheelferry.ops.verify import verify_store
from wheelferry.ops.verify_read import JOBS
from wheelferry.store.base import Store
from wheelferry.store.posix import PosixStore
from wheelferry.store.reading import Reads
from wheelferry.store.record import Digest, SegmentId
from wheelferry.store.segment import encode_segment
from wheelferry.store.tombstones import Tombstone
from wheelferry.store.upkeep import Dated, Foreign

Expected = list[tuple[str, str, str]]
"""Severity, reference, and subject (or its beginning)."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with two packs, which one segment names."""
    root = make_store(tmp_path / "store")
    Ferry(cache=make_cache(tmp_path / "cache", few()), store=root).promote()
    return root


def verify(store: Path, **environ: str) -> tuple[int, Any, str]:
    """Run the command; return its exit code, its JSON document, and its stderr."""
    out, err = io.StringIO(), io.StringIO()
    process = Process(
        environ={"HOME": str(store.parent), **environ},
        system_file=str(store.parent / "system.toml"),
        stdout=out,
        stderr=err,
    )
    code = run_guarded(["verify", "--json", "--store", str(store)], process)
    return code, json.loads(out.getvalue() or "null"), err.getvalue()


def first_object(store: Path) -> tuple[str, Path, bytes]:
    """Return digest, path and bytes of one object."""
    digest, data = min(objects(store).items())
    return digest, object_path(store, digest), data


def truncated_object(store: Path) -> Expected:
    digest, path, data = first_object(store)
    overwrite(path, data[:-1])
    return [("error", "object-size", digest)]


def oversized_object(store: Path) -> Expected:
    digest, path, data = first_object(store)
    overwrite(path, data + b"\0")
    return [("error", "object-size", digest)]


def emptied_object(store: Path) -> Expected:
    digest, path, _ = first_object(store)
    overwrite(path, b"")
    return [("error", "object-size", digest)]


def flipped_object(store: Path) -> Expected:
    digest, path, data = first_object(store)
    overwrite(path, data[:-1] + bytes([data[-1] ^ 1]))
    return [("error", "object-corrupt", digest)]


def missing_object(store: Path) -> Expected:
    digest, path, _ = first_object(store)
    path.unlink()
    return [("error", "object-missing", digest)]


def renamed_object(store: Path) -> Expected:
    digest, path, _ = first_object(store)
    path.rename(object_path(store, "ab" * 32))
    return [
        ("info", "object-orphan", "ab" * 32),
        ("error", "object-corrupt", "ab" * 32),
        ("error", "object-missing", digest),
    ]


def another_valid_pack(store: Path) -> Expected:
    """A sound pack under the name of another one, of the size that its record says."""
    digest, path, _ = first_object(store)
    other = max(objects(store).values(), key=lambda data: data != path.read_bytes())
    overwrite(path, other)
    _, segment = read_only_segment(store)
    replace_records(
        store,
        [
            record._replace(pack_bytes=len(other)) if record.pack == digest else record
            for record in segment.records
        ],
    )
    return [("error", "object-corrupt", digest)]


def no_pack_under_its_digest(store: Path) -> Expected:
    data = b"this is no pack at all, though it has the right name"
    digest = add_object(store, data)
    _, segment = read_only_segment(store)
    record = segment.records[0]._replace(pack=digest, pack_bytes=len(data))
    replace_records(store, [record, *segment.records])
    return [("error", "pack-malformed", digest)]


def newer_pack(store: Path) -> Expected:
    _, _, data = first_object(store)
    digest = add_object(store, data[:8] + b"\x02" + data[9:])
    _, segment = read_only_segment(store)
    record = segment.records[0]._replace(pack=digest, pack_bytes=len(data))
    replace_records(store, [record, *segment.records])
    return [("warning", "store-format-unsupported", digest)]


def record_of_another_tree(store: Path) -> Expected:
    _, segment = read_only_segment(store)
    first, *rest = segment.records
    path = replace_records(store, [first._replace(tree_files=99), *rest])
    return [("error", "record-disagrees", f"{path}, {first.name}")]


def truncated_segment(store: Path) -> Expected:
    path, _ = read_only_segment(store)
    overwrite(path, path.read_bytes()[:-1])
    return [("error", "object-corrupt", f"catalog/{path.name}"), *orphans(store)]


def emptied_segment(store: Path) -> Expected:
    path, _ = read_only_segment(store)
    overwrite(path, b"")
    return [("error", "object-corrupt", f"catalog/{path.name}"), *orphans(store)]


def flipped_segment(store: Path) -> Expected:
    path, _ = read_only_segment(store)
    data = path.read_bytes()
    overwrite(path, data[:40] + bytes([data[40] ^ 1]) + data[41:])
    return [("error", "object-corrupt", f"catalog/{path.name}"), *orphans(store)]


def newer_segment(store: Path) -> Expected:
    path, _ = read_only_segment(store)
    data = bytearray(path.read_bytes())
    data[8] = data[-12] = 2
    return [("warning", "store-format-unsupported", add_segment(store, bytes(data)))]


def no_segment_under_its_digest(store: Path) -> Expected:
    path, _ = read_only_segment(store)
    return [
        ("error", "record-malformed", add_segment(store, path.read_bytes()[:-1])),
    ]


def malformed_record(store: Path) -> Expected:
    _, segment = read_only_segment(store)
    data = forge_segment(segment.records[0], {"pack": b"short"})
    return [("error", "record-malformed", add_segment(store, data))]


def record_that_leads_out(store: Path) -> Expected:
    _, segment = read_only_segment(store)
    data = forge_segment(segment.records[0], {"shard": "pypi/../../../etc"})
    return [("error", "record-malformed", add_segment(store, data))]


def record_with_another_pointer(store: Path) -> Expected:
    _, segment = read_only_segment(store)
    first, *rest = segment.records
    bad = first._replace(files={**first.files, "pointer": b"\x95 no pointer"})
    path = replace_records(store, [bad, *rest])
    return [("error", "record-unusable", f"{path}, record 0")]


def record_at_a_place_uv_has_not(store: Path) -> Expected:
    _, segment = read_only_segment(store)
    first, *rest = segment.records
    path = replace_records(store, [first._replace(shard="nowhere/at/all"), *rest])
    return [("error", "record-unusable", f"{path}, record 0")]


def tombstone_for_an_unknown_segment(store: Path) -> Expected:
    """As compaction leaves it: no damage."""
    tomb = Tombstone(segment=SegmentId("ab" * 32), number=7)
    data = encode_segment([], runner="r1", created_s=0, tombstones=[tomb])
    add_segment(store, data)
    return []


def removed_record_and_its_pack(store: Path) -> Expected:
    """As gc leaves it: what a tombstone names needs no pack."""
    path, segment = read_only_segment(store)
    object_path(store, segment.records[1].pack).unlink()
    tomb = Tombstone(segment=SegmentId(path.stem), number=1)
    data = encode_segment([], runner="r1", created_s=0, tombstones=[tomb])
    add_segment(store, data)
    return []


def orphan(store: Path) -> Expected:
    _, segment = read_only_segment(store)
    dropped, *rest = segment.records
    replace_records(store, rest)
    return [("info", "object-orphan", dropped.pack)]


def leftover_in_staging(store: Path) -> Expected:
    """One that is being written is none."""
    staged = store / "staging/r1" / f"{'ab' * 16}.tmp"
    for path, age_s in ((staged, 25 * 3600), (staged.with_stem("cd" * 16), 3600)):
        path.write_bytes(b"half a pa")
        then_s = path.stat().st_mtime - age_s
        os.utime(path, (then_s, then_s))
    return [("info", "staging-leftover", str(staged.relative_to(store)))]


def foreign_file_in_staging(store: Path) -> Expected:
    (store / "staging/r1/notes").write_text("mine")
    (store / "staging/-x").mkdir()
    (store / "staging/elsewhere").symlink_to(store.parent)
    return [
        ("warning", "foreign-file", "staging/-x"),
        ("warning", "foreign-file", "staging/elsewhere"),
        ("warning", "foreign-file", "staging/r1/notes"),
    ]


def foreign_file_in_quarantine(store: Path) -> Expected:
    (store / "quarantine/notes").write_text("mine")
    return [("warning", "foreign-file", "quarantine/notes")]


def foreign_file_at_the_top(store: Path) -> Expected:
    (store / "notes.txt").write_text("mine")
    return [("warning", "foreign-file", "notes.txt")]


def foreign_file_among_objects(store: Path) -> Expected:
    (store / "objects/ab/core").write_text("dump")
    (store / "objects/ab" / ("cd" * 32)).write_text("in the wrong directory")
    return [
        ("warning", "foreign-file", f"objects/ab/{'cd' * 32}"),
        ("warning", "foreign-file", "objects/ab/core"),
    ]


def foreign_file_in_the_catalog(store: Path) -> Expected:
    (store / "catalog/old.seg").write_text("")
    return [("warning", "foreign-file", "catalog/old.seg")]


def directory_in_the_place_of_an_object(store: Path) -> Expected:
    digest, path, _ = first_object(store)
    path.unlink()
    path.mkdir()
    return [
        ("warning", "foreign-file", str(path.relative_to(store))),
        ("error", "object-missing", digest),
    ]


def link_in_the_place_of_an_object(store: Path) -> Expected:
    digest, path, _ = first_object(store)
    path.rename(store.parent / "elsewhere")
    path.symlink_to(store.parent / "elsewhere")
    return [
        ("warning", "foreign-file", str(path.relative_to(store))),
        ("error", "object-missing", digest),
    ]


def orphans(store: Path) -> Expected:
    """All packs, which no record names any more."""
    return [("info", "object-orphan", digest) for digest in sorted(objects(store))]


SEEDS = [
    truncated_object,
    oversized_object,
    emptied_object,
    flipped_object,
    missing_object,
    renamed_object,
    another_valid_pack,
    no_pack_under_its_digest,
    newer_pack,
    record_of_another_tree,
    truncated_segment,
    emptied_segment,
    flipped_segment,
    newer_segment,
    no_segment_under_its_digest,
    malformed_record,
    record_that_leads_out,
    record_with_another_pointer,
    record_at_a_place_uv_has_not,
    tombstone_for_an_unknown_segment,
    removed_record_and_its_pack,
    orphan,
    leftover_in_staging,
    foreign_file_in_staging,
    foreign_file_in_quarantine,
    foreign_file_at_the_top,
    foreign_file_among_objects,
    foreign_file_in_the_catalog,
    directory_in_the_place_of_an_object,
    link_in_the_place_of_an_object,
]


def test_verify_of_a_sound_store(store: Path) -> None:
    """It finds nothing, and has read all."""
    code, report, _ = verify(store)
    assert (code, report["clean"], report["findings"]) == (0, True, [])
    assert (report["objects"], report["segments"], report["records"]) == (2, 1, 2)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.__name__)
def test_verify_sees_damage(store: Path, seed: Callable[[Path], Expected]) -> None:
    """Each kind is reported once, under its name; only errors make the command fail."""
    expected = sorted(seed(store))
    before = {path: path.lstat().st_mtime_ns for path in store.rglob("*")}

    code, report, _ = verify(store)

    found = sorted(
        (f["severity"], f["reference"], f["subject"]) for f in report["findings"]
    )
    assert len(found) == len(expected), found
    for (severity, reference, subject), wanted in zip(found, expected, strict=True):
        assert (severity, reference) == wanted[:2]
        assert subject.startswith(wanted[2])
    is_clean = all(severity != "error" for severity, _, _ in expected)
    assert (report["clean"], code) == (is_clean, 0 if is_clean else 30)
    assert all(f["hint"] for f in report["findings"] if f["severity"] != "info")
    assert {p: p.lstat().st_mtime_ns for p in store.rglob("*")} == before


def test_verify_of_a_store_that_lacks_a_directory(store: Path) -> None:
    """A missing `objects/xx` stops it: nothing can be said of what belongs there."""
    empty = next(
        p for p in sorted((store / "objects").iterdir()) if not any(p.iterdir())
    )
    empty.rmdir()
    code, report, err = verify(store)
    assert (code, report) == (25, None)
    assert str(empty) in err
    assert "wheelferry init" in err


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, 21, "away"),
        (b"", 21, "damaged"),
        (b"[]", 21, "damaged"),
        (b'{"format": 1, "id": "short", "created": ""}', 21, "damaged"),
        (b'{"format": 2}', 22, "format 2"),
    ],
)
def test_verify_of_what_is_no_store(
    store: Path, content: bytes | None, code: int, says: str
) -> None:
    """Without a sound `wheelferry.json` nothing else is looked at."""
    info = store / "wheelferry.json"
    if content is None:
        info.unlink()
    else:
        overwrite(info, content)
    found, report, err = verify(store)
    assert (found, report) == (code, None)
    assert says in err
    assert str(store) in err


def test_verify_of_another_store(store: Path) -> None:
    """With the id of another store configured, the share is away."""
    code, report, err = verify(store, WHEELFERRY_STORE_ID="0" * 32)
    assert (code, report) == (21, None)
    assert "0" * 32 in err


class BadSector(Reads):
    """Reads that fail for one file, as on a disk with a bad sector."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self._number = number

    def open_file(self, path: Path) -> int:
        if path == self._path:
            raise OSError(self._number, "injected", str(path))
        return super().open_file(path)


class Deaf(PosixStore):
    """A store that no longer answers once an object is wanted."""

    def open_object(self, digest: Digest) -> BinaryIO | None:
        raise StoreSilent(f"no answer about {digest}")


def test_verify_does_not_go_on_after_the_store_is_silent(store: Path) -> None:
    """Silence is of the whole store: not one object is called damaged for it."""
    deaf = Deaf(store, disk=Disk(), runner="r1")
    events: list[Event] = []
    with pytest.raises(StoreSilent):
        verify_store(deaf, events.append)
    assert [event for event in events if event.name == "finding.made"] == []


@pytest.mark.parametrize("number", [5, 13])
def test_verify_goes_on_after_an_object_that_cannot_be_read(
    store: Path, number: int
) -> None:
    """One file that cannot be read is damage too, and must not hide the rest."""
    first, second = sorted(objects(store))
    overwrite(object_path(store, second), b"")
    reads = BadSector(object_path(store, first), number)
    posix = PosixStore(store, disk=Disk(), runner="r1", reads=reads)

    report = verify_store(posix, discard)

    errors = {f.subject for f in report.findings if f.severity is Severity.ERROR}
    assert errors == {first, second}


@pytest.mark.parametrize("number", [5, 13])
def test_verify_goes_on_after_a_segment_that_cannot_be_read(
    store: Path, number: int
) -> None:
    """As with an object."""
    path, _ = read_only_segment(store)
    posix = PosixStore(store, disk=Disk(), runner="r1", reads=BadSector(path, number))
    report = verify_store(posix, discard)
    errors = {f.subject for f in report.findings if f.severity is Severity.ERROR}
    assert errors == {f"catalog/{path.name}"}


def test_damage_that_the_second_read_does_not_find(store: Path) -> None:
    """It is the reader's memory or network, not the store: a warning."""
    digest, path, _ = first_object(store)

    class Flaky(Reads):
        """Flips a bit in the first large read."""

        done = False

        def read_into(self, fd: int, buffer: memoryview) -> int:
            count = super().read_into(fd, buffer)
            if not self.done and Path(f"/proc/self/fd/{fd}").resolve() == path:
                self.done = True
                buffer[count - 1] ^= 1
            return count

    posix = PosixStore(store, disk=Disk(), runner="r1", reads=Flaky())
    report = verify_store(posix, discard)
    (finding,) = report.findings
    assert (finding.severity, finding.reference, finding.subject) == (
        Severity.WARNING,
        "read-unstable",
        digest,
    )


def test_verify_goes_through_the_objects_once(store: Path) -> None:
    """An NFS client that has forgotten a listing asks the server for each file of it."""
    top = store / "objects"
    files = [object_path(store, digest) for digest in objects(store)]
    (top / "ab/core").write_text("dump")
    reads = CountingReads()
    posix = PosixStore(store, disk=Disk(), runner="r1", reads=reads)

    report = verify_store(posix, discard)

    assert [finding.subject for finding in report.findings] == ["objects/ab/core"]
    steps = Counter(
        (step.name, path)
        for step in reads.log
        if (path := Path(step.paths[0])).is_relative_to(top)
    )
    reading = {key for key in steps if key[0] in ("open_file", "read_into")}
    assert steps.keys() - reading == {
        *(("list_entries", path) for path in (top, *top.iterdir())),
        *(("file_facts", path) for path in files),
    }
    assert {steps[key] for key in steps.keys() - reading} == {1}


def meanwhile(root: Path, act: Callable[[], object]) -> Store:
    """Return a store in which others do something after the catalog was read."""

    class Meanwhile(Around):
        def list_objects(self) -> list[Dated | Foreign]:
            found: list[Dated | Foreign] = list(self._inner.list_objects())
            act()
            return found

    posix = PosixStore(root, disk=Disk(), runner="r1")
    return Around(posix, upkeep=Meanwhile(posix.upkeep))


def test_what_a_gc_removes_meanwhile_is_not_missed(store: Path) -> None:
    """Its records were read before it had removed them, and its objects listed."""
    gc = Ferry(cache=store.parent / "gc", store=store, runner="gc")
    busy = meanwhile(store, lambda: collect(gc, max_bytes=1))

    report = verify_store(busy, discard)
    assert objects(store) == {}
    assert report.findings == []


def test_what_is_missing_and_no_gc_has_removed_is_missed(store: Path) -> None:
    """As a damaged file that somebody deleted just now."""
    digest, path, _ = first_object(store)
    report = verify_store(meanwhile(store, path.unlink), discard)
    assert [(f.reference, f.subject) for f in report.findings] == [
        ("object-missing", digest)
    ]


def test_what_is_put_back_meanwhile_is_not_missed(store: Path) -> None:
    """A miss counts if it is one at the end."""
    digest, path, data = first_object(store)
    path.unlink()

    class Late(PosixStore):
        def look_again(self, digests: Iterable[Digest]) -> list[Digest]:
            path.write_bytes(data)
            return super().look_again(digests)

    report = verify_store(Late(store, disk=Disk(), runner="r1"), discard)
    assert report.findings == []
    assert digest in objects(store)


def test_packs_are_read_several_at_a_time_and_no_more(tmp_path: Path) -> None:
    """As many as the process on the share takes calls."""
    root = make_store(tmp_path / "store")
    wheels = [plan(f"wheel-{number}") for number in range(3 * JOBS)]
    Ferry(cache=make_cache(tmp_path / "cache", wheels), store=root).promote()
    meeting, lock = threading.Barrier(JOBS), threading.Lock()
    at_work, most = 0, 0

    class Watched(PosixStore):
        def open_object(self, digest: Digest) -> BinaryIO | None:
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            meeting.wait(20)
            with lock:
                at_work -= 1
            return super().open_object(digest)

    report = verify_store(Watched(root, disk=Disk(), runner="r1"), discard)
    assert report.is_clean
    assert (report.read, most) == (3 * JOBS, JOBS)
