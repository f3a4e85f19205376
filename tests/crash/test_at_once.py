"""Several runners at one store, and several pulls into one cache, at the same time."""

from pathlib import Path

from tests.crash.child import Forker
from tests.support.cachetree import formats_of, make_cache, many, plan
from tests.support.soundness import CacheJudge, catalog, findings, objects
from tests.support.tiers import Ferry, make_store

COMMON = many()
ROUNDS = 4


def test_promoters_and_pullers_at_once(scratch: Path, forker: Forker) -> None:
    """The store is the union, the cache too, both are sound, and nobody fails.

    Two runners promote, with most entries in common, while two jobs of a third runner
    pull into one cache.
    """
    for round_number in range(ROUNDS):
        root = scratch / str(round_number)
        root.mkdir()
        store = make_store(root / "store")
        mine, yours = plan("only-a"), plan("only-b")
        entries = (*COMMON, mine, yours)
        formats = formats_of(entries)
        a = Ferry(
            cache=make_cache(root / "a", (*COMMON, mine)), store=store, runner="a"
        )
        b = Ferry(
            cache=make_cache(root / "b", (yours, *COMMON)), store=store, runner="b"
        )
        c = Ferry(cache=root / "c", store=store, runner="c")

        forker.start([(a, None), (c, formats), (b, None), (c, formats)])
        assert forker.results() == [0, 0, 0, 0]
        assert CacheJudge(entries).wrong(c.cache) == []
        forker.start([(c, formats), (c, formats)])
        assert forker.results() == [0, 0]

        assert findings(store) == []
        assert len(catalog(store)) == len(entries)
        assert len(objects(store)) == len(entries) - 1, "one pack is of two entries"
        judge = CacheJudge(entries)
        assert judge.wrong(c.cache) == []
        assert len(judge.usable(c.cache)) == len(entries)
        assert list((c.state / "staging").iterdir()) == []


def test_two_promotions_of_one_runner_at_once(scratch: Path, forker: Forker) -> None:
    """A daemon and a hook may meet: same cache, same view, same staging."""
    for round_number in range(ROUNDS):
        root = scratch / str(round_number)
        root.mkdir()
        store = make_store(root / "store")
        a = Ferry(cache=make_cache(root / "a", COMMON), store=store, runner="a")
        forker.start([(a, None), (a, None)])
        assert forker.results() == [0, 0]
        assert findings(store) == []
        assert len(catalog(store)) == len(COMMON)
        assert a.promote().promoted == []
