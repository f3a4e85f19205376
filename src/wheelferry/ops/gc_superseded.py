"""Which formats of a store have newer ones: pure."""

from collections.abc import Iterable

from wheelferry.ops.gc_facts import Pack


def find_superseded(packs: Iterable[Pack]) -> frozenset[str]:
    """Return the formats of these packs whose family has a newer bucket among them."""
    formats = {format_id for pack in packs for format_id in pack.format_ids}
    newest: dict[str, int] = {}
    for format_id in formats:
        family, number = _parse_bucket(format_id)
        newest[family] = max(number, newest.get(family, -1))
    return frozenset(
        format_id
        for format_id in formats
        if (parsed := _parse_bucket(format_id))[1] < newest[parsed[0]]
        and parsed[1] >= 0
    )


def _parse_bucket(format_id: str) -> tuple[str, int]:
    """Return family and number of a format's bucket; -1 if it has none."""
    family, _, number = format_id.partition("/")[0].partition("-v")
    is_number = number.isascii() and number.isdecimal() and len(number) < 10
    return family, int(number) if is_number else -1
