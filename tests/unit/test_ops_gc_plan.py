"""What goes: orphans, superseded formats, the old, and the least recently needed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.gc_facts import Content, Orphan, Pack
from wheelferry.ops.gc_fit import MOST, SPARE
from wheelferry.ops.gc_plan import SUPERSEDED_S, Budget, GcPlan, Victim, Why, plan_gc
from wheelferry.ops.gc_superseded import find_superseded
from wheelferry.ops.gc_trash import FUTURE_S, is_expired
from wheelferry.store.record import Digest
from wheelferry.store.upkeep import Trashed

NOW_S = 2_000_000_000
DAY_S = 24 * 3600
GIB = 1 << 30
NEW = frozenset({"wheels-v8/array5"})
OLD = frozenset({"wheels-v6/map"})


def pack(
    number: int,
    *,
    days: float = 0,
    size: int = GIB,
    formats: frozenset[str] = NEW,
    is_missing: bool = False,
    is_banned: bool = False,
) -> Pack:
    """Return a pack that was needed so many days ago."""
    return Pack(
        digest=Digest(f"{number:064x}"),
        size_bytes=0 if is_missing else size,
        needed_s=int(NOW_S - days * DAY_S),
        subject=f"p{number} 1.0",
        format_ids=formats,
        is_missing=is_missing,
        is_banned=is_banned,
    )


def content(
    *packs: Pack, free: int = 100 * GIB, trash: tuple[Trashed, ...] = ()
) -> Content:
    """Return a store with these packs."""
    return Content(packs=packs, orphans=(), trash=trash, free_bytes=free, now_s=NOW_S)


def gone(found: Content, **budget: float) -> list[tuple[int, Why]]:
    """Return numbers of victims, and why they go."""
    plan = plan_gc(found, Budget(**budget))  # type: ignore[arg-type]
    return [(int(victim.digest, 16), victim.why) for victim in plan.victims]


def test_without_a_budget_nothing_that_is_named_goes() -> None:
    """However old it is."""
    assert gone(content(pack(1, days=1000), pack(2))) == []


def test_what_is_forbidden_goes_first() -> None:
    """Without a budget, needed or not, and missing or not: its records have to go."""
    found = content(
        pack(1, days=1000),
        pack(2, is_banned=True),
        pack(3, is_banned=True, is_missing=True),
    )

    assert gone(found) == [(2, Why.BANNED), (3, Why.BANNED)]
    assert gone(found, max_bytes=GIB)[:2] == [(2, Why.BANNED), (3, Why.BANNED)]
    assert len(gone(found, max_age_s=1)) == 3, "each goes once"


def test_what_is_forbidden_is_not_brought_back() -> None:
    """`rm` is about to purge it, or was killed before it could."""
    item = Trashed(pack(1).digest, NOW_S, GIB)
    found = content(pack(1, is_banned=True, is_missing=True), trash=(item,))
    plan = plan_gc(found, Budget())

    assert (plan.wanted, plan.resting) == ((), (item,))


def test_least_recently_needed_goes_first_and_leaves_some_room() -> None:
    """To nine tenths of the size, so that the next promotion is no gc again."""
    found = content(*(pack(number, days=20 - number) for number in range(12)))

    assert gone(found, max_bytes=10 * GIB) == [
        (0, Why.SIZE),
        (1, Why.SIZE),
        (2, Why.SIZE),
    ]
    assert gone(found, max_bytes=12 * GIB) == []


def test_a_large_pack_stays_where_smaller_ones_are_enough() -> None:
    """A store is not emptied below eight tenths for one that came first in line."""
    packs = [pack(1, days=30), pack(2, days=29, size=4 * GIB)]
    packs += [pack(number, days=10) for number in range(3, 9)]

    assert gone(content(*packs), max_bytes=10 * GIB) == [(1, Why.SIZE), (3, Why.SIZE)]


def test_what_is_too_old_goes_whatever_the_size() -> None:
    """By when a runner last needed it."""
    found = content(pack(1, days=91), pack(2, days=89))

    assert gone(found, max_age_s=90 * DAY_S) == [(1, Why.AGE)]


def test_superseded_formats_go_when_nobody_needs_them() -> None:
    """After 30 days; a pack that a newer format has too stays."""
    old = pack(1, days=31, formats=OLD)
    found = content(
        old,
        pack(2, days=29, formats=OLD),
        pack(3, days=31, formats=OLD | NEW),
        pack(4, days=31, formats=frozenset({"sdists-v9/git"})),
    )

    assert gone(found) == [(1, Why.SUPERSEDED)]
    assert gone(content(old)) == []
    assert SUPERSEDED_S == 30 * DAY_S


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        (["wheels-v6/map", "wheels-v8/array5"], ["wheels-v6/map"]),
        (["wheels-v6/map", "wheels-v6/array4"], []),
        (["wheels-v8/array5", "sdists-v11/git"], []),
        (["wheels-v9/map", "wheels-v10/map"], ["wheels-v9/map"]),
        (["wheels-v٦/map", "wheels-v8/map", "wheels", "", "wheels-v/x"], []),
        (["wheels-v99999999999/map", "wheels-v8/map"], []),
    ],
)
def test_superseded_is_told_by_the_number_of_the_bucket(
    formats: list[str], expected: list[str]
) -> None:
    """What has no number that can be is never superseded, and supersedes nothing."""
    packs = [pack(n, formats=frozenset({name})) for n, name in enumerate(formats)]

    assert sorted(find_superseded(packs)) == expected


def test_orphans_go_after_the_grace() -> None:
    """But not where a part of the catalog could not be read: they may be none."""
    orphans = tuple(
        Orphan(digest=Digest(f"{n:064x}"), size_bytes=GIB, since_s=NOW_S - s)
        for n, s in ((1, DAY_S + 1), (2, DAY_S - 1))
    )
    found = replace(content(), orphans=orphans)

    assert gone(found) == [(1, Why.ORPHAN)]
    assert gone(replace(found, is_whole=False)) == []
    plan = plan_gc(found, Budget(max_bytes=GIB // 2))
    assert (plan.over_bytes, plan.is_reached) == (GIB // 2, False)


def test_free_space_counts_what_is_about_to_be_free() -> None:
    """The trash too: or each gc until the grace is over would take as much again."""
    trash = (Trashed(Digest("f" * 64), NOW_S - 10, 3 * GIB),)
    packs = [pack(number, days=20 - number) for number in range(5)]

    assert (
        gone(content(*packs, free=2 * GIB, trash=trash), keep_free_bytes=5 * GIB) == []
    )
    assert gone(content(*packs, free=3 * GIB), keep_free_bytes=5 * GIB) == [
        (0, Why.FREE),
        (1, Why.FREE),
        (2, Why.FREE),
    ]


def test_free_space_never_takes_what_was_needed_within_the_grace() -> None:
    """Others fill the share too, and all of the store might not be enough."""
    found = content(pack(1, days=2), pack(2, days=0.5), free=0)
    plan = plan_gc(found, Budget(keep_free_bytes=10 * GIB))

    assert [victim.subject for victim in plan.victims] == ["p1 1.0"]
    assert (plan.short_bytes, plan.is_reached) == (9 * GIB, False)


def test_a_tight_budget_is_told_by_what_is_hot() -> None:
    """It takes what was needed a moment ago, and says how many that are."""
    found = content(pack(1, days=2), pack(2, days=0.5), pack(3, days=0.1))

    assert plan_gc(found, Budget(max_bytes=GIB)).hot == 1


def test_nothing_hot_goes_for_the_reserve() -> None:
    """Or a large pack that is no fit for it would cost all that runners need now."""
    old = [pack(number, days=40, size=50) for number in range(10)]
    large = pack(10, days=0.5, size=9000)
    young = [pack(number, days=0.001, size=50) for number in range(11, 23)]
    found = content(*old, large, *young)

    assert gone(found, max_bytes=10_000) == [(n, Why.SIZE) for n in range(10)]
    assert gone(content(large, *young), max_bytes=9_000) == [(10, Why.SIZE)]
    assert gone(content(*young), max_bytes=500) == [(11, Why.SIZE), (12, Why.SIZE)]
    for_both = {"max_bytes": 10_000, "keep_free_bytes": 200}
    assert gone(replace(found, free_bytes=0), **for_both) == gone(
        found, max_bytes=10_000
    )


def test_missing_packs_take_no_room_and_do_not_count() -> None:
    """To give up their records would make nothing free."""
    found = content(pack(1, days=9, is_missing=True), pack(2, days=8), pack(3))

    assert gone(found, max_bytes=GIB) == [(2, Why.SIZE)]


def test_trash_is_brought_back_where_a_record_names_it() -> None:
    """Of several the latest, whatever their age; the others go with their grace."""
    digest = pack(1).digest
    old, late = Trashed(digest, 5, 7), Trashed(digest, NOW_S - 10, 7)
    other = Trashed(Digest("f" * 64), NOW_S - DAY_S - 1, 7)
    rests = Trashed(Digest("e" * 64), NOW_S - DAY_S + 1, 7)
    found = content(pack(1, is_missing=True), trash=(old, other, rests, late))
    plan = plan_gc(found, Budget())

    assert plan.wanted == (late,)
    assert plan.expired == (old, other)
    assert plan.resting == (rests,)
    there = plan_gc(replace(found, packs=(pack(1),)), Budget())
    assert (there.wanted, there.resting) == ((), (rests, late))


def test_what_comes_back_counts_and_may_be_what_goes() -> None:
    """As after a gc that was killed: within the budget at once, not with the next one.

    It comes back before it goes, or its grace would be the one that has begun long ago.
    """
    packs = pack(1, days=3), pack(2, days=2, is_missing=True), pack(3, days=1)
    item = Trashed(packs[1].digest, NOW_S - 10, GIB)
    found = content(*packs, trash=(item,))
    less = plan_gc(found, Budget(max_bytes=2 * GIB))
    least = plan_gc(found, Budget(max_bytes=GIB))

    assert [int(v.digest, 16) for v in less.victims] == [1]
    assert (less.wanted, less.resting, less.over_bytes) == ((item,), (), 0)
    assert [int(v.digest, 16) for v in least.victims] == [1, 2]
    assert (least.wanted, least.resting, least.over_bytes) == ((item,), (), 0)
    assert (less.left_bytes, least.left_bytes) == (2 * GIB, GIB)


def test_trash_stays_while_a_part_of_the_catalog_cannot_be_read() -> None:
    """It may be there that a record names it."""
    old = Trashed(pack(1).digest, 5, 7)
    found = content(trash=(old,))

    assert plan_gc(found, Budget()).expired == (old,)
    unread = plan_gc(replace(found, is_whole=False), Budget())
    assert (unread.expired, unread.resting) == ((), (old,))


@pytest.mark.parametrize(
    ("since_s", "expected"),
    [
        (NOW_S, False),
        (NOW_S - DAY_S + 1, False),
        (NOW_S - DAY_S, True),
        (0, True),
        (NOW_S + FUTURE_S, False),
        (NOW_S + FUTURE_S + 1, True),
    ],
)
def test_a_grace_ends_and_one_of_the_far_future_never_began(
    since_s: int, *, expected: bool
) -> None:
    """A file that a broken clock has dated does not take room for ever."""
    assert is_expired(since_s, NOW_S, DAY_S) is expected


def test_what_fits_again_is_spared_though_it_is_older() -> None:
    """Many small ones and then a large one make too much room for a small budget."""
    small = [pack(number, days=90 - number, size=1000) for number in range(60)]
    large = pack(60, days=2, size=6000)
    newest = pack(61, days=1, size=400)
    found = content(*small, large, newest)

    assert gone(found, max_bytes=5000) == [
        *((number, Why.SIZE) for number in range(56)),
        (60, Why.SIZE),
    ]


def test_free_space_is_made_with_as_little_as_the_size() -> None:
    """What fits beside a large one that had to go is spared."""
    found = content(
        *(pack(number, days=90 - number, size=GIB // 4) for number in range(4)),
        pack(4, days=10, size=9 * GIB),
        free=0,
    )

    assert gone(found, keep_free_bytes=9 * GIB) == [
        (0, Why.FREE),
        (1, Why.FREE),
        (2, Why.FREE),
        (3, Why.FREE),
        (4, Why.FREE),
    ]
    assert gone(found, keep_free_bytes=8 * GIB) == [(4, Why.FREE)]


def test_only_what_goes_for_want_of_room_is_spared() -> None:
    """What is forbidden, dead, or too old goes, though it would fit."""
    packs = [
        pack(1, days=99, size=10),
        pack(2, days=31, size=10, formats=OLD),
        pack(3, days=5, size=10, is_banned=True),
        pack(4, days=4, size=10),
        pack(5, days=3, size=900),
        pack(6, days=2, size=600),
    ]
    orphan = Orphan(digest=Digest("f" * 64), size_bytes=10, since_s=NOW_S - 2 * DAY_S)
    found = replace(content(*packs), orphans=(orphan,))

    assert gone(found, max_bytes=1000, max_age_s=90 * DAY_S) == [
        (3, Why.BANNED),
        (int("f" * 64, 16), Why.ORPHAN),
        (2, Why.SUPERSEDED),
        (1, Why.AGE),
        (5, Why.SIZE),
    ]


def test_both_budgets_are_reached_with_what_goes_for_either() -> None:
    """What goes for the size makes free space; what is hot goes for the size only."""
    found = content(
        pack(1, days=9, size=30),
        pack(2, days=8, size=50),
        pack(3, days=0.5, size=100),
        pack(4, days=0.4, size=100),
        free=0,
    )

    assert gone(found, max_bytes=279, keep_free_bytes=60) == [
        (1, Why.SIZE),
        (2, Why.FREE),
    ]
    tight = plan_gc(found, Budget(max_bytes=110, keep_free_bytes=500))
    assert [int(victim.digest, 16) for victim in tight.victims] == [1, 2, 3]
    assert (tight.over_bytes, tight.short_bytes) == (0, 320)
    hot = content(pack(1, days=0.5, size=50), pack(2, days=0.4, size=2000), free=0)
    assert gone(hot, max_bytes=1000, keep_free_bytes=9000) == [(2, Why.SIZE)]


@st.composite
def _stores(draw: st.DrawFn) -> Content:
    """Draw a store of small and large packs, some forbidden, missing, or in the trash."""
    sizes = st.one_of(st.integers(1, 100), st.integers(1, 5000))
    packs, trash = [], []
    for number in range(draw(st.integers(1, 30))):
        one = pack(
            number,
            days=draw(st.one_of(st.integers(0, 2), st.integers(0, 60))) / 2,
            size=draw(sizes),
            formats=draw(st.sampled_from([NEW, OLD])),
            is_banned=draw(st.integers(0, 9)) == 0,
        )
        if draw(st.integers(0, 9)) == 0:
            if draw(st.booleans()):
                trash.append(Trashed(one.digest, NOW_S - 10, one.size_bytes))
            one = replace(one, size_bytes=0, is_missing=True)
        packs.append(one)
    orphans = tuple(
        Orphan(
            digest=Digest(f"{1000 + number:064x}"),
            size_bytes=draw(sizes),
            since_s=NOW_S - draw(st.integers(0, 2)) * DAY_S,
        )
        for number in range(draw(st.integers(0, 2)))
    )
    free = draw(st.integers(0, 5000))
    drawn = content(*packs, free=free, trash=tuple(trash))
    return replace(drawn, orphans=orphans)


_limits = st.one_of(st.none(), st.integers(1, 20_000))
_budgets = st.builds(
    Budget,
    max_bytes=_limits,
    keep_free_bytes=_limits,
    max_age_s=st.one_of(st.none(), st.integers(1, 30).map(lambda days: days * DAY_S)),
)


def _carry_out(plan: GcPlan) -> Content:
    """Return the store after a removal."""
    found = plan.content
    back = {item.digest: item.size_bytes for item in plan.wanted}
    taken = {victim.digest for victim in plan.victims}
    stays = [item for item in found.trash if item in plan.resting]
    news = [Trashed(v.digest, NOW_S, v.size_bytes) for v in plan.victims]
    there = {item.digest for item in stays}
    return replace(
        found,
        packs=tuple(
            replace(one, size_bytes=back[one.digest], is_missing=False)
            if one.digest in back
            else one
            for one in found.packs
            if one.digest not in taken
        ),
        orphans=tuple(one for one in found.orphans if one.digest not in taken),
        trash=(*stays, *(one for one in news if one.digest not in there)),
        free_bytes=found.free_bytes + plan.expired_bytes,
    )


@given(_stores(), _budgets)
def test_a_second_removal_right_after_finds_nothing_to_do(
    found: Content, budget: Budget
) -> None:
    """Or a fleet would go on removing; what the first says that it leaves is so."""
    first = plan_gc(found, budget)
    after = _carry_out(first)
    second = plan_gc(after, budget)

    assert [(v.subject, v.why) for v in second.victims] == []
    assert second.wanted == ()
    assert (second.over_bytes, second.short_bytes) == (
        first.over_bytes,
        first.short_bytes,
    )


@given(_stores(), _budgets)
def test_a_budget_is_kept_and_nothing_goes_that_fits(
    found: Content, budget: Budget
) -> None:
    """To within a tenth; or, where too much would go, to the budget itself.

    Of what was needed within the grace nothing goes for that tenth.
    """
    plan = plan_gc(found, budget)
    after = _carry_out(plan)
    left_bytes = after.object_bytes
    room_bytes = after.free_bytes + after.trash_bytes
    max_bytes, keep_bytes = budget.max_bytes, budget.keep_free_bytes
    due = (Why.BANNED, Why.ORPHAN, Why.SUPERSEDED, Why.AGE)
    hot_s = NOW_S - budget.grace_s

    if max_bytes is not None:
        assert plan.over_bytes == max(0, left_bytes - max_bytes)
        is_all = all(one.is_missing for one in after.packs)
        assert left_bytes <= max_bytes or is_all
    if keep_bytes is not None:
        assert plan.short_bytes == max(0, keep_bytes - room_bytes)
        is_all = all(p.is_missing or p.needed_s > hot_s for p in after.packs)
        assert room_bytes >= keep_bytes or is_all
    for victim in plan.victims:
        assert victim.why in due or _is_needed(victim, plan, left_bytes, room_bytes)
    assert len({victim.digest for victim in plan.victims}) == len(plan.victims)


def _is_needed(victim: Victim, plan: GcPlan, left_bytes: int, room_bytes: int) -> bool:
    """Return whether a budget would be missed without a victim, or its reserve."""
    max_bytes, keep_bytes = plan.budget.max_bytes, plan.budget.keep_free_bytes
    is_hot = victim.needed_s > plan.content.now_s - plan.budget.grace_s
    is_for_size = is_for_room = False
    if max_bytes is not None:
        reserve_bytes = int(max_bytes * SPARE)
        if is_hot or left_bytes < max_bytes - int(max_bytes * MOST):
            reserve_bytes = 0
        is_for_size = left_bytes + victim.size_bytes > max_bytes - reserve_bytes
    if keep_bytes is not None:
        reserve_bytes = int(keep_bytes * SPARE)
        if room_bytes > keep_bytes + int(keep_bytes * MOST):
            reserve_bytes = 0
        is_for_room = room_bytes - victim.size_bytes < keep_bytes + reserve_bytes
    return is_for_size or (is_for_room and not is_hot)
