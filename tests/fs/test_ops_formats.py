"""Which formats a pull restores, and what is said of those that nobody knows."""

from pathlib import Path

import pytest

from tests.support.machines import MACHINE
from tests.support.memory_store import MemoryStore
from wheelferry.disk import Disk
from wheelferry.events import Event, Level
from wheelferry.ops.formats import find_formats, unknown_format
from wheelferry.ops.tiers import Tiers
from wheelferry.store.view import View


def find(root: Path, *versions: str) -> tuple[tuple[str, ...], list[Event]]:
    """Return the formats for the cache in `root`, and the events."""
    events: list[Event] = []
    disk = Disk()
    (root / "state").mkdir()
    with View.open(root / "state/view", store_id="a" * 32, disk=disk) as view:
        tiers = Tiers(
            cache=root / "cache",
            state=root / "state",
            store=MemoryStore(),
            store_id="a" * 32,
            view=view,
            runner="r",
            machine=MACHINE,
            disk=disk,
            emit=events.append,
            now=lambda: 0.0,
        )
        return find_formats(tiers, versions=versions, paths=[root / "bin"]), events


def test_named_versions_decide(tmp_path):
    """With versions in the configuration no uv is looked for, and what it reads counts."""
    formats, events = find(tmp_path, "0.5.14")

    assert formats == ("wheels-v3/array2", "sdists-v6/array2", "sdists-v6/git")
    assert events == []


def test_formats_of_the_cache_are_added(tmp_path):
    """A uv that is not on this machine, such as in a container, left its buckets."""
    (tmp_path / "cache/wheels-v5").mkdir(parents=True)
    formats, _ = find(tmp_path, "0.13.9")

    assert formats[0] == "wheels-v8/array5"
    assert "wheels-v5/array4" in formats


def test_without_any_uv_all_is_restored(tmp_path):
    """A machine without uv and without a cache serves whichever uv comes."""
    formats, _ = find(tmp_path)

    assert {"wheels-v3/array2", "wheels-v8/array5"} <= set(formats)
    assert "wheels-v6/array5" not in formats, "uv 0.10 and 0.11 cannot read it"


def test_uv_binary_that_fails_is_named(tmp_path):
    """What cannot tell its version is said, and the pull goes on."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "bin/uv").chmod(0o755)
    formats, (event,) = find(tmp_path)

    assert (event.name, event.level) == ("uv.refused", Level.WARNING)
    assert str(tmp_path / "bin/uv") in event.message
    assert formats


def test_bucket_of_a_newer_uv_is_said_loudly(tmp_path):
    """After an upgrade of uv nothing is shared any more: each pull says so."""
    (tmp_path / "cache/wheels-v99").mkdir(parents=True)
    _, (event,) = find(tmp_path, "0.13.9")

    assert (event.name, event.level) == ("format.unknown", Level.ERROR)
    assert "wheels-v99" in event.message
    assert "upgrade wheelferry" in event.message


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("sdists-v99", Level.ERROR),
        ("wheels-v8/array6", Level.ERROR),
        ("wheels-v2", Level.WARNING),
        ("wheels-v5/array7", Level.WARNING),
    ],
)
def test_unknown_format_is_loud_if_a_newer_uv_made_it(name, level):
    """Of an old bucket nobody has to hear loudly; a new shape is like a new bucket."""
    event = unknown_format(name, 3)

    assert event.level is level
    assert name in event.message
    assert event.fields["entries"] == 3
