"""The site that all tests on real NFS share; it boots when the first of them runs."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.nfs.fleet import NfsFleet, make_fleet
from tests.nfs.host import Services, open_services
from tests.nfs.rig import HOW_TO, Site, find_missing, is_guest
from tests.support.leftovers import nothing_left_running

_HERE = Path(__file__).parent
_RUNNERS = 8


def pytest_report_header() -> str:
    """Say whether these tests can run here."""
    return HOW_TO if find_missing() else "real NFS and real systemd: in a guest"


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark what needs the guest; where that cannot be had, leave it out in one line."""
    ours = [item for item in items if _needs_guest(item)]
    for item in ours:
        item.add_marker(pytest.mark.nfs)
    if ours and find_missing():
        first, *others = ours
        reason = f"{HOW_TO} (this and {len(others)} more are left out)"
        first.add_marker(pytest.mark.skip(reason=reason))
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _needs_guest(item: pytest.Item) -> bool:
    boots = item.get_closest_marker("nfs") is not None
    is_ours = item.path.is_relative_to(_HERE)
    return boots or (is_ours and "site" in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """As everywhere, but that a machine may have been switched off and on again."""
    with nothing_left_running(is_expected=is_guest):
        yield


@pytest.fixture(scope="session")
def _booted() -> Iterator[Site]:
    with Site.open(runners=_RUNNERS) as site:
        yield site


@pytest.fixture
def site(_booted: Site) -> Iterator[Site]:
    """A server and eight runners, as they are after booting but for old files."""
    yield _booted
    _booted.settle()


NewFleet = Callable[..., NfsFleet]


@pytest.fixture
def new_fleet(site: Site, request: pytest.FixtureRequest) -> NewFleet:
    """Make a fleet with a store of its own; arguments are those of `make_fleet`."""
    made = 0

    def make(**options: Any) -> NfsFleet:
        nonlocal made
        made += 1
        name = re.sub(r"[^a-z0-9]+", "-", f"{request.node.name}-{made}".lower())
        return make_fleet(site, name, **options)

    return make


@pytest.fixture
def fleet(new_fleet: NewFleet) -> NfsFleet:
    """A store on NFS, with the recommended options, and two runners that mount it."""
    return new_fleet()


@pytest.fixture(scope="module")
def _services() -> Iterator[Services]:
    with open_services() as services:
        yield services


@pytest.fixture
def services(_services: Services) -> Iterator[Services]:
    """A machine with systemd and two services, all of it plugged in and running."""
    yield _services
    _services.host.plug_cable()
    _services.host.server.settle()
    for service in (_services.one, _services.two):
        if not service.is_active():
            service.start()
