"""Which files stand for all, and what one job needs."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_project_uvlock import make_python
from wheelferry.bench.facts import LockFacts
from wheelferry.bench.job import narrow_to_one, weigh
from wheelferry.bench.sample import TreeFile, choose_files, choose_within
from wheelferry.ops.target import Target
from wheelferry.project.need import ANY_INDEX, Demand, File, FileKind, Need

FOLDERS = ("a", "a/b", "c", "d/e/f", "g")
FILES = st.dictionaries(
    st.tuples(st.sampled_from(FOLDERS), st.integers(0, 9)),
    st.integers(0, 1000),
    max_size=30,
).map(lambda sizes: [TreeFile(f"{d}/{n}", size) for (d, n), size in sizes.items()])


@given(FILES, st.integers(1, 20), st.integers(1, 5000))
def test_sample_is_of_whole_directories_within_bounds(
    files: list[TreeFile], max_files: int, max_bytes: int
) -> None:
    """Each costs something too, so that files without their neighbours would mislead."""
    chosen = choose_files(files, max_files=max_files, max_bytes=max_bytes)
    assert len(chosen) <= max_files
    assert sum(file.size_bytes for file in chosen) <= max_bytes
    parents = {file.parent for file in chosen}
    assert set(chosen) == {file for file in files if file.parent in parents}


def test_sample_is_taken_evenly() -> None:
    """Of 100 directories of one file, every fourth."""
    files = [TreeFile(f"{number:03}/file", 10) for number in range(100)]
    chosen = choose_files(files, max_files=25, max_bytes=10_000)
    assert [file.name for file in chosen] == [f"{n:03}/file" for n in range(0, 100, 4)]


def test_all_is_taken_where_there_is_room() -> None:
    """And nothing of nothing."""
    files = [TreeFile("a/x", 1), TreeFile("a/y", 2), TreeFile("a/b/x", 3)]
    assert set(choose_files(files, max_files=3, max_bytes=6)) == set(files)
    assert choose_files([], max_files=3, max_bytes=6) == ()


def test_what_fits_is_taken_in_order() -> None:
    """One that is too large is no reason to leave the next."""
    sizes = [("a", 5), ("b", 9), ("c", 4), ("d", 1)]
    assert choose_within(sizes, 10) == ("a", "c", "d")


def need(name: str, *pythons: int, size_bytes: int | None = None) -> Need:
    """Return what some interpreters need."""
    return Need(name, "1.0", ANY_INDEX, File(FileKind.ANY), pythons, size_bytes)


def test_job_uses_the_interpreter_that_needs_most() -> None:
    """A runner's three Pythons are not three times the packages."""
    pythons = (make_python("3.11.2"), make_python("3.12.1"), make_python("3.13.1"))
    demand = Demand((need("a", 0, 1), need("b", 1), need("c", 0)))
    target = narrow_to_one(Target(pythons, demand))
    assert target.pythons == (pythons[0],)
    assert target.demand == Demand((need("a", 0), need("c", 0)))


def test_weight_is_of_the_sizes_that_the_lock_has() -> None:
    """Those without one are counted, and not weighed."""
    demand = Demand(
        (need("a", 0, size_bytes=5), need("b", 0), need("c", 0, size_bytes=7))
    )
    assert weigh(demand) == LockFacts(packages=3, sized=2, index_bytes=12)
    assert weigh(demand, {"a", "b"}) == LockFacts(packages=2, sized=1, index_bytes=5)
