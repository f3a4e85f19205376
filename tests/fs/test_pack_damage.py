"""Packs that are damaged, or made to do harm, and disks that fail."""

import errno
import hashlib
import io
import struct
from pathlib import Path

import pytest

from tests.support.packing import digest_of, pack_tree, read_tree, restore
from wheelferry.disk import Disk
from wheelferry.errors import (
    IntegrityError,
    ObjectCorrupt,
    PackMalformed,
    StoreFormatUnsupported,
    UnsafePath,
)
from wheelferry.pack.format import HEAD_BYTES, MAGIC, encode_head
from wheelferry.pack.pool import Pool
from wheelferry.pack.reader import check_pack
from wheelferry.pack.table import FileEntry, Frame, Table
from wheelferry.pack.zstd import zstd

SMALL = {"a/x.py": (b"print(1)\n" * 9, False), "a/run": (b"#!/bin/sh\n", True)}


@pytest.fixture(scope="module")
def pool():
    with Pool() as made:
        yield made


@pytest.fixture(scope="module")
def small(tmp_path_factory, pool):
    """Return the bytes of a small pack."""
    return pack_tree(SMALL, tmp_path_factory.mktemp("spool"), pool)


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "target"
    path.mkdir()
    return path


def forge(
    files: list[tuple[bytes, int]],
    content: bytes,
    *,
    frames: list[tuple[int, int]] | None = None,
    digests: bool = True,
) -> bytes:
    """Return a pack with a table that no writer would make.

    Its own checks are on the way in, so the table is written here, section by section.
    """
    comp = zstd.compress(content)
    frames = frames or [(len(content), len(comp))]
    name = "sha256" if digests else "sha3_256"
    sections = {
        b"PATH": b"".join(path + b"\0" for path, _ in files),
        b"SIZE": b"".join(struct.pack("<Q", size) for _, size in files),
        b"MODE": b"\0" * len(files),
        b"HASH": b"".join(
            hashlib.new(name, content[:size]).digest() for _, size in files
        ),
        b"FRAM": b"".join(struct.pack("<2I", *frame) for frame in frames),
    }
    raw = b"".join(struct.pack("<4sI", tag, len(d)) + d for tag, d in sections.items())
    table = zstd.compress(raw)
    return struct.pack("<8sHHII", MAGIC, 1, 0, len(table), len(raw)) + table + comp


def test_every_flipped_byte_is_noticed(small, tmp_path, pool):
    """No byte of a pack can change without ObjectCorrupt, whatever it breaks first."""
    digest = digest_of(small)
    for at in range(len(small)):
        damaged = bytearray(small)
        damaged[at] ^= 0x20
        target = tmp_path / str(at)
        target.mkdir()
        with pytest.raises(ObjectCorrupt):
            restore(bytes(damaged), target, pool, digest=digest)
        with pytest.raises(ObjectCorrupt):
            check_pack(io.BytesIO(damaged).read, digest=digest, size_bytes=len(damaged))


def test_every_truncation_is_noticed(small, tmp_path, pool):
    """A pack that ends early is ObjectCorrupt, wherever it ends."""
    digest = digest_of(small)
    for end in range(len(small)):
        target = tmp_path / str(end)
        target.mkdir()
        with pytest.raises(ObjectCorrupt, match="ends after"):
            restore(small[:end], target, pool, digest=digest, size_bytes=len(small))


@pytest.mark.parametrize("announced", [0, 1])
def test_bytes_after_the_end_are_noticed(small, target, pool, announced):
    """A longer file is refused, whether or not the catalog knew its size."""
    with pytest.raises(ObjectCorrupt):
        restore(
            small + b"\0",
            target,
            pool,
            digest=digest_of(small),
            size_bytes=len(small) + announced,
        )


def test_sound_pack_under_a_wrong_name_is_noticed(small, target, pool):
    """The digest is the name; a sound pack of something else is not it."""
    with pytest.raises(ObjectCorrupt, match="digest"):
        restore(small, target, pool, digest="0" * 64)


def test_pack_read_in_small_pieces_is_sound(small):
    """A `read` may return less than it is asked for."""
    stream = io.BytesIO(small)
    check_pack(
        lambda wanted: stream.read(min(wanted, 3)),
        digest=digest_of(small),
        size_bytes=len(small),
    )


def test_pack_of_a_later_version_is_named(small, target, pool):
    """A sound file of version 2 is not called corrupt, but named."""
    later = small[:8] + struct.pack("<H", 2) + small[10:]
    with pytest.raises(StoreFormatUnsupported, match="version 2"):
        restore(later, target, pool)


@pytest.mark.parametrize(
    "files",
    [
        [(b"../evil", 4)],
        [(b"/tmp/evil", 4)],
        [(b"a/../../evil", 4)],
        [(b"a", 2), (b"a", 2)],
        [(b"a", 2), (b"a/b", 2)],
        [(b"a//b", 4)],
        [(b"x" * 300, 4)],
    ],
)
def test_hostile_paths_write_nothing(files, target, pool):
    """A pack whose digest is right can still not write outside of its tree."""
    before = set(target.parent.iterdir())
    with pytest.raises(UnsafePath):
        restore(forge(files, b"evil"), target, pool)
    assert not list(target.iterdir())
    assert set(target.parent.iterdir()) == before
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize(
    ("files", "frames"),
    [
        ([(b"a", 1 << 50)], None),
        ([(b"a", 1 << 33)], [(1 << 24, 20)] * 512),
        ([(b"a", 4)], [((1 << 32) - 1, 20)]),
        ([(b"a", 4)], [(4, (1 << 32) - 1)]),
        ([(b"%d" % n, 0) for n in range(200_001)], None),
    ],
)
def test_hostile_sizes_write_nothing(files, frames, target, pool):
    """Huge counts and sizes are refused by the table, before anything is made."""
    with pytest.raises(PackMalformed):
        restore(forge(files, b"evil", frames=frames), target, pool)
    assert not list(target.iterdir())


def test_table_beyond_the_end_of_the_pack_is_refused(small, target, pool):
    """A sound file whose head claims a larger table is malformed, not damaged."""
    forged = small[:12] + struct.pack("<I", len(small)) + small[16:]
    with pytest.raises(PackMalformed, match="after the end"):
        restore(forged, target, pool)


def test_bomb_in_a_frame_is_refused(target, pool):
    """A frame that holds more than the table says is not decompressed."""
    bomb = zstd.compress(b"\0" * 100_000_000)
    with pytest.raises(PackMalformed, match="announce"):
        restore(_with_frame(bomb, 1000), target, pool)


def test_bomb_that_lies_about_its_size_is_refused(target, pool):
    """A frame without a size, which zstd would go on decompressing, is refused."""
    compressor = zstd.ZstdCompressor()
    bomb = compressor.compress(b"\0" * 50_000_000) + compressor.flush()
    with pytest.raises(PackMalformed, match="announce"):
        restore(_with_frame(bomb, 1000), target, pool)


def _with_frame(frame: bytes, raw_bytes: int) -> bytes:
    entry = FileEntry(
        path="a", size_bytes=raw_bytes, executable=False, digest=b"0" * 32
    )
    frames = (Frame(raw_bytes=raw_bytes, comp_bytes=min(len(frame), raw_bytes)),)
    table = Table(files=(entry,), frames=frames)
    head = encode_head(table)
    if len(frame) > raw_bytes:
        frame = frame[:raw_bytes]
    return head + frame.ljust(frames[0].comp_bytes, b"\0")


def test_wrong_digest_of_a_file_is_found_by_check():
    """`check_pack` compares each file with the table, small and large ones."""
    for size in (1000, 3_000_000):
        content = b"\1" * size
        frames = None
        good = forge([(b"a", size)], content, frames=frames)
        bad = forge([(b"a", size)], content, frames=frames, digests=False)
        check_pack(io.BytesIO(good).read, digest=digest_of(good), size_bytes=len(good))
        with pytest.raises(PackMalformed, match="a does not have the digest"):
            check_pack(io.BytesIO(bad).read, digest=digest_of(bad), size_bytes=len(bad))


def test_check_accepts_what_the_writer_makes(target, pool):
    """Empty, small and large files pass `check_pack`."""
    tree = SMALL | {"empty": (b"", False), "l": (b"\2" * 5_000_000, True)}
    tree |= {"m": (b"\3" * 4_500_000, False)}
    data = pack_tree(tree, target, pool)
    found = check_pack(
        io.BytesIO(data).read, digest=digest_of(data), size_bytes=len(data)
    )
    assert found.tree_files == len(tree)


@pytest.mark.parametrize("trap", ["a", "a/run"])
def test_link_in_the_target_is_not_followed(small, tmp_path, target, pool, trap):
    """A link that waits where a directory or file belongs is never written through."""
    outside = tmp_path / "outside"
    outside.mkdir()

    class Trapped(Disk):
        def make_dirs_in(self, root, relative):
            """Plant the link after the target was found empty."""
            if trap == "a":
                (target / "a").symlink_to(outside)
            super().make_dirs_in(root, relative)
            if trap != "a":
                (target / trap).symlink_to(outside / "new")

    with pytest.raises(FileExistsError):
        restore(small, target, pool, disk=Trapped())
    assert not list(outside.iterdir())


def test_target_with_something_in_it_is_refused(small, target, pool):
    """A tree is restored to an empty directory only."""
    (target / "left over").touch()
    with pytest.raises(FileExistsError, match="not an empty directory"):
        restore(small, target, pool)


@pytest.mark.parametrize("step", ["create_file", "open_new", "write_at"])
def test_full_disk_ends_the_restore(tmp_path, target, pool, step):
    """The error of a worker reaches the caller; other packs can use the pool after."""

    class Full(Disk):
        def _fail(self, *_args: object, **_kwargs: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    setattr(Full, step, Full._fail)
    spool = tmp_path / "spool"
    spool.mkdir()
    tree = SMALL | {"large": (b"\2" * 9_000_000, False)}
    data = pack_tree(tree, spool, pool)
    with pytest.raises(OSError, match="No space") as caught:
        restore(data, target, pool, disk=Full())
    assert caught.value.errno == errno.ENOSPC
    after = tmp_path / "after"
    after.mkdir()
    restore(data, after, pool)
    assert read_tree(after) == tree


def test_error_of_the_store_is_passed_on(small):
    """What `read` raises is the caller's own error, not one of integrity."""
    blocks: list[bytes] = [small[: HEAD_BYTES + 10]]

    def read(wanted: int) -> bytes:
        if blocks:
            return blocks.pop()[:wanted]
        raise OSError(errno.ESTALE, "Stale file handle")

    with pytest.raises(OSError, match="Stale") as caught:
        check_pack(read, digest=digest_of(small), size_bytes=len(small))
    assert not isinstance(caught.value, IntegrityError)
