"""Values of a store's parts on their way between two processes."""

import marshal
from typing import cast

import pytest

from tests.support.records import digest_of
from wheelferry.store.isolated.calls import Calls
from wheelferry.store.isolated.parts import Part, decode_value, encode_value
from wheelferry.store.upkeep import (
    Dated,
    Foreign,
    Quarantined,
    Trashed,
    Upkeep,
)
from wheelferry.store.usage import Usage, UsageFile
from wheelferry.store.usage_files import UsageFiles

DIGEST = digest_of("pack")
USAGE = Usage(held=(DIGEST,), before=((7, (DIGEST,)),), figures=b"f", replaces=("x",))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "name",
        (DIGEST, 1, 2),
        {DIGEST: 7},
        frozenset({DIGEST}),
        Dated(DIGEST, 1, 2),
        Foreign("notes", "its name"),
        Trashed(DIGEST, 1, 2),
        [Quarantined(DIGEST, 1, 2, True), Quarantined(DIGEST, 3, 4, False)],
        UsageFile("r1.x", 1, 2, USAGE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_arrives_as_it_was(value):
    """Also its class, and those of what is in it."""
    arrived = decode_value(marshal.loads(marshal.dumps(encode_value(value))))
    assert (arrived, type(arrived)) == (value, type(value))
    assert repr(arrived) == repr(value)


def test_keys_of_a_dict_arrive_as_a_set():
    """Callers name what they want by whatever is at hand."""
    arrived = decode_value(
        marshal.loads(marshal.dumps(encode_value({DIGEST: 1}.keys())))
    )
    assert arrived == {DIGEST}


@pytest.mark.parametrize(
    ("name", "mine", "others"),
    [("usage", UsageFiles, Upkeep), ("upkeep", Upkeep, UsageFiles)],
)
def test_part_has_the_methods_of_its_protocol_and_no_others(name, mine, others):
    """Also none of the protocol's class; a mistake shows here, not in the child."""
    part = Part(cast("Calls", None), name)

    assert {n for n in vars(mine) if hasattr(part, n) and n[0] != "_"} == {
        n for n in vars(mine) if n[0] != "_"
    }
    assert not [n for n in vars(others) if hasattr(part, n) and n[0] != "_"]
    assert not hasattr(part, "nonsense")
    assert not hasattr(part, "_is_protocol")
    with pytest.raises(AttributeError, match=f"'{name}' has no method 'nonsense'"):
        part.nonsense()
