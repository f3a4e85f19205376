"""In which order a fleet's ways are measured."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.fleet.course import Course
from benchmarks.fleet.network import Network
from benchmarks.fleet.ways import BY_ID, Way

_NEAR = Network(rtt_ms=0.7, mbit=1000)
_FAR = Network(rtt_ms=5, mbit=1000)


class _Place(SimpleNamespace):
    """No more than networks; it tells how often they were changed."""

    changes = 0
    network: Network | None = None

    def reshape(self, network: Network) -> None:
        self.network = network
        self.changes += 1


def test_networks_take_turns_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """All ways on one, then all on the other; another way begins the next round."""
    place = _Place(networks=[_NEAR, _FAR])

    assert _order(place, monkeypatch) == [
        *[("rsync", _NEAR), ("tar", _NEAR), ("rsync", _FAR), ("tar", _FAR)],
        *[("tar", _NEAR), ("rsync", _NEAR), ("tar", _FAR), ("rsync", _FAR)],
    ]
    assert place.changes == 4


def test_lone_network_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder has none."""
    guest, folder = _Place(networks=[_FAR]), _Place(networks=[])

    assert {network for _, network in _order(guest, monkeypatch)} == {_FAR}
    assert {network for _, network in _order(folder, monkeypatch)} == {None}
    assert (guest.changes, folder.changes) == (1, 0)


def _order(place: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    def run_way(course: Course, way: Way, _number: int) -> Iterator[Any]:
        yield way.id, course.place.network

    monkeypatch.setattr(Course, "_run_way", run_way)
    course: Any = Course(
        place=place,
        inputs=SimpleNamespace(),  # type: ignore[arg-type]
        uv=SimpleNamespace(),  # type: ignore[arg-type]
        ways=[BY_ID["rsync"], BY_ID["tar"]],
        scenarios=[],
        jobs=1,
        folder=Path(),
    )
    return list(course.run(2))
