"""What goes for want of room: enough, and nothing that fits."""

from hypothesis import given
from hypothesis import strategies as st

from wheelferry.ops.gc_facts import Pack
from wheelferry.ops.gc_fit import Aim, choose_misfits, find_aim
from wheelferry.store.record import Digest


def pack(number: int, size_bytes: int) -> Pack:
    """Return a pack that was needed at that second."""
    return Pack(
        digest=Digest(f"{number:064x}"),
        size_bytes=size_bytes,
        needed_s=number,
        subject=f"p{number} 1.0",
        format_ids=frozenset(),
    )


def take(packs: list[Pack], aim: Aim) -> list[Pack]:
    """Return what goes if nothing is spared: the least recently needed first."""
    taken: list[Pack] = []
    gone_bytes = 0
    for one in packs:
        if aim.takes(one, gone_bytes):
            taken.append(one)
            gone_bytes += one.size_bytes
    return taken


def test_what_is_kept_already_has_no_aim() -> None:
    """Also where it is kept to the byte."""
    assert find_aim(100, 0) is None
    assert find_aim(100, -1) is None
    assert find_aim(100, 1) == Aim(must_bytes=1, should_bytes=11, most_bytes=21)


def test_the_most_recently_needed_is_spared_first() -> None:
    """Of two that fit, but not both."""
    packs = [pack(1, 40), pack(2, 40), pack(3, 1), pack(4, 200)]
    aim = Aim(must_bytes=150, should_bytes=160, most_bytes=170)

    assert choose_misfits(packs, {"": aim}) == [(packs[3], "")]
    more = Aim(must_bytes=201, should_bytes=206, most_bytes=210)
    assert choose_misfits(packs, {"": more}) == [(packs[0], ""), (packs[3], "")]


def test_a_reserve_is_given_up_where_too_much_would_go() -> None:
    """The tenth that is made free beyond a budget is an aim, and no bound."""
    aim = Aim(must_bytes=90, should_bytes=100, most_bytes=110)
    large = pack(2, 95)
    little, more = [pack(1, 10), large], [pack(1, 30), large]

    assert choose_misfits(little, {"": aim}) == [(pack(1, 10), ""), (large, "")]
    assert choose_misfits(more, {"": aim}) == [(large, "")]


_sizes = st.lists(
    st.one_of(st.integers(1, 30), st.integers(1, 1000)), min_size=1, max_size=40
)


@given(_sizes, st.integers(1, 3000), st.integers(0, 40))
def test_enough_goes_and_less_than_without_sparing(
    sizes: list[int], max_bytes: int, hot_s: int
) -> None:
    """Never is the store worse off: what would have stayed without it stays."""
    packs = [pack(number, size) for number, size in enumerate(sizes)]
    aim = find_aim(max_bytes, sum(sizes) - max_bytes, hot_s=hot_s)
    if aim is None:
        return
    misfits = [one for one, _ in choose_misfits(packs, {"": aim})]
    left_bytes = sum(sizes) - sum(one.size_bytes for one in misfits)

    assert left_bytes <= max_bytes
    assert set(misfits) <= set(take(packs, aim))
    assert misfits == sorted(misfits, key=lambda one: one.needed_s)
    for one in misfits:
        assert left_bytes + one.size_bytes > max_bytes - int(max_bytes * 0.1)
        is_little = left_bytes < max_bytes - int(max_bytes * 0.2)
        is_hot = one.needed_s > hot_s
        assert not (is_little or is_hot) or left_bytes + one.size_bytes > max_bytes
