"""Which frame holds what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.errors import PackMalformed
from wheelferry.pack.table import (
    FRAME_BYTES,
    MAX_FRAME_BYTES,
    MAX_TREE_BYTES,
    Contents,
    FileEntry,
    Frame,
    Table,
    check_table,
    plan_frames,
)


def table_of(sizes: list[int], raw_sizes: list[int]) -> Table:
    return Table(
        files=tuple(
            FileEntry(path=f"f{i}", size_bytes=size, executable=False, digest=b"0" * 32)
            for i, size in enumerate(sizes)
        ),
        frames=tuple(Frame(raw_bytes=raw, comp_bytes=max(1, raw)) for raw in raw_sizes),
    )


def raw_bytes(sizes: list[int], contents: Contents) -> int:
    if contents.is_piece:
        return min(FRAME_BYTES, sizes[contents.first] - contents.offset)
    return sum(sizes[contents.first : contents.last])


def test_frame_ends_before_the_file_that_would_overflow_it():
    """The rule of the format, by example; a large file has frames of its own."""
    half = FRAME_BYTES // 2
    sizes = [half, half, 1, 0, 2 * FRAME_BYTES + 7, 3, 0]
    planned = [(c.first, c.last, c.offset) for c in plan_frames(sizes)]
    assert planned == [
        (0, 2, 0),
        (2, 4, 0),
        (4, 4, 0),
        (4, 4, FRAME_BYTES),
        (4, 4, 2 * FRAME_BYTES),
        (5, 7, 0),
    ]


@given(
    st.lists(
        st.one_of(
            st.just(0),
            st.integers(1, 1000),
            st.integers(FRAME_BYTES // 3, 3 * FRAME_BYTES),
            st.just(FRAME_BYTES),
        )
    )
)
def test_plan_is_found_again_from_the_sizes(sizes):
    """What the writer plans, the reader derives: each byte once, in order."""
    planned = list(plan_frames(sizes))
    raw_sizes = [raw_bytes(sizes, contents) for contents in planned]
    assert sum(raw_sizes) == sum(sizes)
    assert all(0 < raw <= FRAME_BYTES for raw in raw_sizes)
    found = check_table(table_of(sizes, raw_sizes)).contents
    for ours, theirs in zip(planned, found, strict=True):
        assert (ours.is_piece, ours.offset) == (theirs.is_piece, theirs.offset)
        filled = [i for i in range(ours.first, ours.last) if sizes[i]]
        assert filled == [i for i in range(theirs.first, theirs.last) if sizes[i]]


@pytest.mark.parametrize(
    ("sizes", "raw_sizes"),
    [
        ([10, 10], [15, 5]),  # ends within the second file
        ([10, 10], [5, 15]),  # goes on into the second file
        ([10], [10, 1]),  # goes on after the last file
        ([10, 10], [10]),  # ends before the last file
        ([10, 10], [4, 10, 6]),  # a piece goes on into the second file
        ([10], []),
        ([10], [4]),
        ([], [1]),
        ([0], [1]),
    ],
)
def test_frames_that_do_not_fit_the_files_are_refused(sizes, raw_sizes):
    """A frame holds whole files or a piece of one; all frames hold all files."""
    with pytest.raises(PackMalformed):
        check_table(table_of(sizes, raw_sizes))


def test_frames_of_other_sizes_are_read():
    """Where frames end is the writer's choice within the rule."""
    contents = check_table(table_of([10, 0, 10], [3, 7, 10])).contents
    assert [(c.is_piece, c.offset) for c in contents] == [
        (True, 0),
        (True, 3),
        (False, 0),
    ]


def test_tree_beyond_the_limit_is_refused():
    """A table that agrees with itself can still not ask for any amount of disk."""
    count = MAX_TREE_BYTES // MAX_FRAME_BYTES
    check_table(table_of([MAX_TREE_BYTES], [MAX_FRAME_BYTES] * count))
    with pytest.raises(PackMalformed, match="tree claims"):
        check_table(table_of([MAX_TREE_BYTES, 1], [MAX_FRAME_BYTES] * count + [1]))
