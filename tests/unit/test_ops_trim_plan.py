"""What a trim removes, of caches that are only values."""

from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.trim_plan import (
    ENOUGH,
    ONLY_HERE_S,
    TICK_S,
    Known,
    TrimPlan,
    plan_trim,
)
from wheelferry.store.record import Identity
from wheelferry.uvcache.holdings import Archive, Held, Holder, Holdings

DAY_S = 24 * 3600.0
NOW_S = 1000 * DAY_S
BUCKET = "wheels-v8/pypi"


def archive(name: str, size_bytes: int = 100, *, days_ago: float = 1.0) -> Archive:
    """Return an archive that was last used so long ago."""
    return Archive(name, size_bytes, 0, NOW_S - days_ago * DAY_S, "file")


def holder(path: str, *archives: str) -> Held:
    """Return a downloaded wheel, without any size of its own."""
    return Held(Holder(path, (f"{path}.http",), (), frozenset(archives)), 0, 0.0)


def holdings(
    archives: Iterable[Archive],
    holders: Iterable[Held] | None = None,
    *,
    foreign: Iterable[str] = (),
    other_bytes: int = 0,
) -> Holdings:
    """Return a cache; each archive has a holder of its name unless they are given."""
    by_id = {a.id: a for a in archives}
    if holders is None:
        holders = [holder(name, name) for name in by_id]
    sizes = {"archive-v0": sum(a.size_bytes for a in by_id.values())}
    return Holdings(
        by_id, tuple(holders), frozenset(foreign), {**sizes, "simple-v1": other_bytes}
    )


def in_store(*names: str) -> Mapping[str, Known]:
    """Return that the store has what these holders hold."""
    return {name: Known((name,), (Identity(name),), True) for name in names}


def removed(plan: TrimPlan) -> list[list[str]]:
    """Return the archives of each victim, in order."""
    return [[a.id for a in group.archives] for group in plan.victims]


def trim(cache: Holdings, max_bytes: int, **more: object) -> TrimPlan:
    """Plan for a cache whose entries the store has, unless `known` says otherwise."""
    known = more.pop("known", in_store(*(h.holder.path for h in cache.holders)))
    return plan_trim(cache, known, max_bytes=max_bytes, now_s=NOW_S, **more)  # type: ignore[arg-type]


def test_cache_within_its_budget_is_left_alone() -> None:
    """Also if it is at the budget to the byte, and above nine tenths of it."""
    plan = trim(holdings([archive("a"), archive("b")]), 200)

    assert (plan.victims, plan.cache_bytes, plan.is_enough) == ((), 200, True)


def test_least_recently_used_goes_until_there_is_room() -> None:
    """A tenth below the budget, so that the next trim is not soon."""
    cache = holdings([archive(str(n), 10, days_ago=n) for n in range(1, 21)])

    plan = trim(cache, 150)

    assert removed(plan) == [[str(n)] for n in range(20, 13, -1)]
    assert plan.cache_bytes - plan.victims_bytes == 150 * ENOUGH - 5


def test_of_what_was_used_together_the_largest_goes() -> None:
    """A minute is one time: few entries are lost, and the rest stays whole."""
    cache = holdings(
        [
            archive("small", 10, days_ago=3.0),
            archive("large", 60, days_ago=3.0 - (TICK_S / 4) / DAY_S),
            archive("recent", 90),
        ]
    )

    assert removed(trim(cache, 150)) == [["large"]]


def test_what_the_store_lacks_stays_for_a_week_longer() -> None:
    """It would have to be downloaded, or built, again; but not for ever."""
    week = ONLY_HERE_S / DAY_S
    cache = holdings([archive("here", days_ago=5.0), archive("both", days_ago=1.0)])
    assert removed(trim(cache, 150, known=in_store("both"))) == [["both"]]
    assert removed(trim(cache, 150, known={})) == [["here"]]

    cache = holdings([archive("here", days_ago=week + 2), archive("both", days_ago=1)])
    assert removed(trim(cache, 150, known=in_store("both"))) == [["here"]]


def test_archives_without_a_name_go_first() -> None:
    """No uv finds them, however new they are."""
    cache = holdings(
        [archive("orphan", days_ago=0.0), archive("old", days_ago=90.0)],
        [holder("old", "old")],
    )

    assert removed(trim(cache, 199)) == [["orphan"]]


def test_shared_archive_takes_all_its_names_along() -> None:
    """Two formats of one wheel, and it counts when it was last used for either."""
    cache = holdings(
        [archive("shared", days_ago=9.0), archive("other", days_ago=5.0)],
        [holder("v7/x", "shared"), holder("v8/x", "shared"), holder("v8/y", "other")],
    )

    (group,) = trim(cache, 150).victims

    assert {h.path for h in group.holders} == {"v7/x", "v8/x"}


def test_wheels_of_one_sdist_stay_or_go_together() -> None:
    """That of a Python in use keeps the other; so does what shares an archive with it."""
    cache = holdings(
        [
            archive("cp311", days_ago=90.0),
            archive("cp312", days_ago=1.0),
            archive("middle", days_ago=30.0),
        ],
        [
            holder("sdist", "cp311", "cp312"),
            holder("format", "cp311"),
            holder("m", "middle"),
        ],
    )

    assert removed(trim(cache, 250)) == [["middle"]]
    assert removed(trim(cache, 100)) == [["middle"], ["cp311", "cp312"]]


def test_what_something_else_names_stays() -> None:
    """An archive that an environment of uv's is made of, and all that hangs on it."""
    cache = holdings(
        [archive("env", days_ago=90.0), archive("wheel")],
        [holder("x", "env", "wheel")],
        foreign=["env"],
    )
    plan = trim(cache, 50)

    assert (plan.victims, plan.entries_bytes, plan.is_enough) == ((), 0, False)
    assert plan.others == (("archive-v0", 200),)


def test_pointer_to_nothing_is_no_entry() -> None:
    """Nor is metadata that came without its wheel: there is no room to be made."""
    plan = trim(holdings([], [holder("x", "gone"), holder("y")], other_bytes=90), 50)

    assert (plan.victims, plan.others) == ((), (("simple-v1", 90),))


def test_built_wheel_that_was_never_installed_is_an_entry() -> None:
    """It has no archive, and a `.whl`."""
    shard = Holder("sdists-v11/pypi/x/1", (), (), frozenset(), has_wheel=True)
    cache = Holdings({}, (Held(shard, 100, NOW_S),), frozenset(), {"sdists-v11": 100})

    (group,) = trim(cache, 50).victims
    assert (group.subjects, group.size_bytes) == (("sdists-v11/pypi/x/1",), 100)


def test_what_was_used_a_moment_ago_can_be_spared() -> None:
    """So a daemon takes nothing from under a job that has just pulled it."""
    cache = holdings([archive("new", days_ago=0.01), archive("old", days_ago=0.1)])

    plan = trim(cache, 10, spare_s=3600.0)

    assert (removed(plan), plan.spared, plan.is_enough) == ([["old"]], 1, False)


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.integers(0, 9), max_size=3)),
        max_size=12,
        unique_by=lambda item: item[0],
    ),
    st.lists(st.integers(1, 50), min_size=10, max_size=10),
    st.integers(1, 400),
)
def test_plan_never_leaves_a_name_without_its_archive(
    named: list[tuple[int, list[int]]], sizes: list[int], max_bytes: int
) -> None:
    """Whatever hangs together with whatever; and no byte is counted twice."""
    cache = holdings(
        [archive(str(n), size, days_ago=n) for n, size in enumerate(sizes)],
        [holder(f"h{n}", *map(str, ids)) for n, ids in named],
    )
    plan = trim(cache, max_bytes)
    gone = {a.id for group in plan.victims for a in group.archives}
    gone_holders = [h.path for group in plan.victims for h in group.holders]

    for held in cache.holders:
        hits = held.holder.archives & gone
        assert not hits or held.holder.path in gone_holders
    assert len(gone_holders) == len(set(gone_holders))
    assert plan.victims_bytes == sum(cache.archives[name].size_bytes for name in gone)
    assert sum(size for _, size in plan.others) + plan.entries_bytes == sum(sizes)
    if cache.size_bytes > max_bytes:
        assert plan.is_enough  # all of it is wheels
