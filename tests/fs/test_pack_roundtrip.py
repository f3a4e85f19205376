"""Trees made into packs and restored."""

import hashlib
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.packing import (
    Tree,
    digest_of,
    pack_tree,
    read_tree,
    restore,
    sources,
)
from wheelferry.disk import Disk
from wheelferry.errors import UnsafePath
from wheelferry.pack.pool import Pool
from wheelferry.pack.writer import ChangedWhilePacking, write_pack

MIXED = {
    "pkg/__init__.py": (b"", False),
    "pkg/deep/er/mod.py": (b"x = 1\n" * 50, False),
    "pkg/lib.so": (os.urandom(3000), True),
    "pkg-1.dist-info/RECORD": (b"a,b,c\n", False),
    "ünïcode dir/ü": ("ü".encode(), False),
}


@pytest.fixture
def pool():
    with Pool() as made:
        yield made


@pytest.fixture
def spool(tmp_path):
    path = tmp_path / "spool"
    path.mkdir()
    return path


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "target"
    path.mkdir()
    return path


def random_bytes(size_bytes: int) -> bytes:
    """Return bytes that do not compress, and are the same each time."""
    return hashlib.shake_256(b"wheelferry").digest(size_bytes)


def test_pack_restores_the_tree(spool, target, pool):
    """Contents, names and x bits come back, and the counts are right."""
    extracted = restore(pack_tree(MIXED, spool, pool), target, pool)
    assert read_tree(target) == MIXED
    assert extracted.tree_files == len(MIXED)
    assert extracted.tree_bytes == sum(len(content) for content, _ in MIXED.values())


NAMES = st.text(st.sampled_from("ab.é"), min_size=1, max_size=3).filter(
    lambda name: name not in (".", "..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def without_clashes(tree: dict[str, tuple[bytes, bool]]) -> Tree:
    """Drop files that would be directories of others."""
    parents = {str(p) for path in tree for p in Path(path).parents}
    return {path: value for path, value in tree.items() if path not in parents}


TREES = st.dictionaries(
    PATHS, st.tuples(st.binary(max_size=200), st.booleans()), max_size=12
).map(without_clashes)


@settings(max_examples=60)
@given(TREES, st.randoms())
def test_pack_is_a_function_of_the_tree(tree, random):
    """Any tree comes back; its order as given does not matter to a single byte."""
    items = list(tree.items())
    random.shuffle(items)
    with TemporaryDirectory() as name, Pool() as pool:
        spool, target = Path(name, "spool"), Path(name, "target")
        spool.mkdir()
        target.mkdir()
        data = pack_tree(tree, spool, pool)
        assert pack_tree(dict(items), spool, pool) == data
        restore(data, target, pool)
        assert read_tree(target) == tree


@pytest.mark.parametrize("tree", [{}, {"empty": (b"", False)}, {"a/x": (b"", True)}])
def test_pack_without_content_restores(tree, spool, target, pool):
    """No file, and only empty files, are packs too."""
    restore(pack_tree(tree, spool, pool), target, pool)
    assert read_tree(target) == tree


def test_large_file_crosses_frames(spool, target, pool):
    """A file of 10 MB, between small ones, comes back whole and with its x bit."""
    tree = {
        "a.so": (b"small", False),
        "b.so": (random_bytes(10_000_001), True),
        "c.so": (b"", False),
        "d.so": (b"last", False),
    }
    data = pack_tree(tree, spool, pool)
    restore(data, target, pool)
    assert read_tree(target) == tree


def test_files_cross_the_blocks_of_a_frame(spool, target, pool):
    """Files that end within, at, and beyond a block of decompressed bytes come back."""
    kib = 1 << 10
    sizes = [100, 256 * kib - 100, 256 * kib, 256 * kib + 1, 700 * kib, 1, 0, 5]
    content = random_bytes(700 * kib)
    tree = {f"{i}.bin": (content[:size], False) for i, size in enumerate(sizes)}
    restore(pack_tree(tree, spool, pool), target, pool)
    assert read_tree(target) == tree


def test_table_has_the_digest_of_each_file(spool, pool):
    """What was packed can be compared with RECORD without reading it again."""
    tree = MIXED | {"large.bin": (random_bytes(5_000_000), False)}
    with write_pack(sources(tree), spool, disk=Disk(), pool=pool) as pack:
        found = {entry.path: entry.digest for entry in pack.table.files}
    assert found == {
        path: hashlib.sha256(content).digest() for path, (content, _) in tree.items()
    }


def test_there_is_a_step_before_each_frame(spool, pool):
    """Whoever packs can be held up there, also within a large file."""
    tree = MIXED | {"large.bin": (random_bytes(5_000_000), False)}
    held: list[int] = []

    def step() -> None:
        held.append(sum(path.stat().st_size for path in spool.iterdir()))

    with write_pack(sources(tree), spool, disk=Disk(), pool=pool, step=step) as pack:
        assert len(held) == len(pack.table.frames) == 5
    assert held[0] == 0


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o027])
def test_modes_follow_the_umask(umask, spool, target, pool):
    """Files are 644 or 755 less the umask, also those made from several frames."""
    tree = MIXED | {"large.so": (random_bytes(5_000_000), True)}
    data = pack_tree(tree, spool, pool)
    before = os.umask(umask)
    try:
        restore(data, target, pool)
    finally:
        os.umask(before)
    modes = {path: (target / path).stat().st_mode & 0o777 for path in tree}
    expected = {p: (0o755 if x else 0o644) & ~umask for p, (_, x) in tree.items()}
    assert modes == expected
    assert (target / "pkg").stat().st_mode & 0o777 == 0o777 & ~umask


def test_threads_restore_several_packs_with_one_pool(spool, tmp_path, pool):
    """Readers in parallel share the workers and get their own trees."""
    trees = [
        {f"{n}.bin": (bytes([n]) * 100_000, False), f"d{n}/x": (b"%d" % n, True)}
        for n in range(8)
    ]
    packs = [pack_tree(tree, spool, pool) for tree in trees]
    targets = [tmp_path / str(n) for n in range(len(trees))]

    def run(number):
        targets[number].mkdir()
        restore(packs[number], targets[number], pool)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(trees))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [read_tree(path) for path in targets] == trees


@pytest.mark.parametrize("size", [10, 5_000_000])
@pytest.mark.parametrize("change", [-1, 1])
def test_file_that_changes_while_it_is_packed_is_noticed(size, change, spool, pool):
    """A file longer or shorter than announced makes no pack and leaves no spool."""
    announced = sources({"x": (b"\0" * size, False)})
    real = sources({"x": (b"\0" * (size + change), False)})
    [file] = [
        type(a)(path=a.path, size_bytes=a.size_bytes, executable=False, open=r.open)
        for a, r in zip(announced, real, strict=True)
    ]
    with pytest.raises(ChangedWhilePacking, match="x became"):
        write_pack([file], spool, disk=Disk(), pool=pool)
    assert not list(spool.iterdir())


def test_file_that_vanishes_makes_no_pack(spool, tmp_path, pool):
    """The error of the source reaches the caller, and the spool is empty."""
    [file] = sources({"x": (b"abc", False)})
    gone = tmp_path / "gone"
    missing = type(file)(
        path="x", size_bytes=3, executable=False, open=lambda: gone.open("rb")
    )
    with pytest.raises(FileNotFoundError):
        write_pack([missing], spool, disk=Disk(), pool=pool)
    assert not list(spool.iterdir())


@pytest.mark.parametrize("paths", [["../x"], ["/x"], ["a", "a/b"], ["a//b"]])
def test_unsafe_tree_is_not_packed(paths, spool, pool):
    """A pack that no reader would take is not made."""
    files = [file for path in paths for file in sources({path: (b"1", False)})]
    with pytest.raises(UnsafePath):
        write_pack(files, spool, disk=Disk(), pool=pool)
    assert not list(spool.iterdir())


def test_digest_names_the_bytes_that_chunks_yield(spool, pool):
    """The pack can be streamed twice, and is gone from the spool after close."""
    with write_pack(sources(MIXED), spool, disk=Disk(), pool=pool) as pack:
        first, second = b"".join(pack.chunks()), b"".join(pack.chunks())
    assert first == second
    assert digest_of(first) == pack.digest
    assert not pack.spool.exists()
