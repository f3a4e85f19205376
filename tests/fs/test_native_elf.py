"""What is read of ELF files: those that gcc makes, and those that nobody should."""

import io
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.elves import make_library, module, require_gcc
from wheelferry.native.elf import MAX_ENTRIES, Elf, NotUnderstood, read_elf

NEEDS = (("libc.so.6", ("GLIBC_2.17", "GLIBC_2.99")), ("libplain.so.1", ()))


def read(data: bytes) -> Elf | None:
    """Read a file of these bytes."""
    return read_elf(io.BytesIO(data))


@pytest.fixture(scope="module")
def made() -> bytes:
    """A module that needs a glibc which is newer than any."""
    return module(*NEEDS)


def test_what_a_module_needs_is_read(made: bytes) -> None:
    """Libraries, versions of symbols, its name; and for what machine it is."""
    elf = read(made)

    assert elf is not None
    assert elf.arch
    assert elf.soname == "_native.so"
    assert set(elf.needed) == {"libc.so.6", "libplain.so.1"}
    ((library, versions),) = elf.used
    assert library == "libc.so.6"
    assert sorted(versions) == ["GLIBC_2.17", "GLIBC_2.99"]
    assert elf.defined == ()


def test_what_a_library_defines_is_read(tmp_path: Path) -> None:
    """Its versions, without the one that is its own name."""
    require_gcc()
    library = make_library(tmp_path / "liba.so.1", versions=["A_1", "A_1.2"])

    elf = read(library.read_bytes())

    assert elf is not None
    assert (elf.soname, elf.needed, elf.used) == ("liba.so.1", (), ())
    assert elf.defined == ("A_1", "A_1.2")


def test_weak_version_is_no_need(made: bytes) -> None:
    """ld.so(8) warns of it, and goes on."""
    weak = bytearray(made)
    # vernaux: hash, flags, other, name, next
    order = "<" if made[5] == 1 else ">"
    place = made.index(struct.pack(f"{order}IH", _elf_hash(b"GLIBC_2.99"), 0))
    weak[place + 4 : place + 6] = struct.pack(f"{order}H", 2)

    elf = read(bytes(weak))

    assert elf is not None
    assert elf.used == (("libc.so.6", ("GLIBC_2.17",)),)


def test_sections_do_not_matter(made: bytes) -> None:
    """The loader does not look at them, and `sstrip` removes them."""
    stripped = bytearray(made)
    start = 40 if made[4] == 2 else 32  # e_shoff
    stripped[start : start + 4] = bytes(4)

    assert read(bytes(stripped)) == read(made)


def test_only_what_a_loader_takes_counts(tmp_path: Path) -> None:
    """An object file needs nothing yet, a static program nothing any more."""
    require_gcc()
    source = tmp_path / "a.c"
    source.write_text("void _start(void) { for (;;) ; }\n")
    common = ["gcc", "-nostdlib", str(source), "-o"]
    subprocess.run([*common, str(tmp_path / "a.o"), "-c"], check=True)
    subprocess.run([*common, str(tmp_path / "a"), "-static"], check=True)

    assert read((tmp_path / "a.o").read_bytes()) is None
    static = read((tmp_path / "a").read_bytes())
    assert static is not None
    assert (static.needed, static.used, static.defined) == ((), (), ())
    assert read(b"") is None
    assert read(b"#!/bin/sh\n") is None


def test_file_that_is_cut_off_is_not_understood(made: bytes) -> None:
    """Wherever: it tells nothing, or the same; never something else."""
    whole = read(made)
    found: set[bool | None] = set()
    for length in range(4, len(made), 61):
        try:
            found.add(read(made[:length]) == whole)
        except NotUnderstood:
            found.add(None)
    assert found == {None, True}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(
        st.tuples(st.integers(0, 0x2FFF), st.integers(0, 255)), min_size=1, max_size=8
    )
)
def test_flipped_bytes_end_in_a_clear_result(
    made: bytes, flips: list[tuple[int, int]]
) -> None:
    """Read, or not understood; nothing else is raised."""
    damaged = bytearray(made)
    for place, value in flips:
        damaged[place % len(damaged)] = value
    with suppress(NotUnderstood):
        read(bytes(damaged))


class _Counting(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        assert size is not None
        assert 0 <= size <= 1024
        return super().read(size)


def forge(*, dynamic: bytes, tables: bytes = b"", headers: int = 2) -> _Counting:
    """Return a 64-bit file of one segment at address 0 with these tables at 0x1000."""
    ident = b"\x7fELF\2\1\1" + bytes(9)
    size = 0x1000 + len(tables) + len(dynamic)
    head = ident + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, headers, 64, 0, 0
    )
    at = 0x1000 + len(tables)
    head += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    head += struct.pack("<IIQQQQQQ", 2, 4, at, at, 0, len(dynamic), len(dynamic), 8)
    return _Counting(head.ljust(0x1000, b"\0") + tables + dynamic)


def entry(tag: int, value: int) -> bytes:
    """Return an entry of a dynamic segment."""
    return struct.pack("<QQ", tag, value)


STRINGS = entry(5, 0x1000)
NEEDED = 1
VERDEF, VERDEFNUM, VERNEED, VERNEEDNUM = range(0x6FFFFFFC, 0x70000000)


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        pytest.param(
            forge(dynamic=entry(NEEDED, 1) * (MAX_ENTRIES + 9)),
            "over 4096",
            id="endless dynamic segment",
        ),
        pytest.param(forge(dynamic=entry(NEEDED, 1)), "lacks", id="no strings"),
        pytest.param(
            forge(dynamic=STRINGS + entry(NEEDED, 1 << 40)), "no end", id="far name"
        ),
        pytest.param(
            forge(dynamic=STRINGS + entry(NEEDED, (1 << 63) - 1)),
            "out of the file",
            id="name beyond any file",
        ),
        pytest.param(
            forge(dynamic=STRINGS + entry(NEEDED, 0), tables=b"x" * 5000),
            "no end",
            id="endless name",
        ),
        pytest.param(
            forge(dynamic=STRINGS + entry(NEEDED, 0), tables=b"../../libc.so.6\0"),
            "odd name",
            id="path",
        ),
        pytest.param(
            forge(
                dynamic=STRINGS + entry(VERNEED, 0x1010) + entry(VERNEEDNUM, 1 << 40),
                # each points to itself, and says that its names have no end
                tables=b"libc.so.6\0".ljust(16, b"\0")
                + struct.pack("<HHIII", 1, 0xFFFF, 0, 0, 1) * 400,
            ),
            "no end",
            id="overlapping versions",
        ),
        pytest.param(
            forge(
                dynamic=STRINGS + entry(VERDEF, 0x1000) + entry(VERDEFNUM, 1 << 60),
                tables=struct.pack("<HHHHIII", 1, 0, 1, 0, 0, 0, 20) * 5000,
            ),
            "over 4096",
            id="endless versions",
        ),
        pytest.param(
            forge(dynamic=STRINGS + entry(VERNEED, 1 << 50)),
            "out of the file",
            id="table elsewhere",
        ),
        pytest.param(
            forge(dynamic=STRINGS, headers=0xFFFF), "headers", id="endless headers"
        ),
        pytest.param(
            forge(dynamic=STRINGS, headers=200), "cut off", id="headers of zeros"
        ),
    ],
)
def test_forged_file_costs_little(forged: _Counting, reason: str) -> None:
    """Whatever it says of itself: so many small reads, and an end."""
    with pytest.raises(NotUnderstood, match=reason):
        read_elf(forged)
    assert forged.reads < 3 * MAX_ENTRIES


def _elf_hash(name: bytes) -> int:
    """Return the hash of the gABI, which a table of versions has of each name."""
    found = 0
    for byte in name:
        found = (found << 4) + byte
        high = found & 0xF0000000
        found = (found ^ (high >> 24)) & ~high
    return found
