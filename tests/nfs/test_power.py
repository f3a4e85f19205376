"""A server that loses power right after promotions, and in the middle of them."""

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.nfs.faults import SLOW, large, staged, succeeded, wait_until, wrote_some
from tests.nfs.fleet import FerryRunner, NfsFleet, make_fleet
from tests.nfs.rig import Site
from tests.nfs.rig.guest import SHARED_MEMORY, make_disk
from tests.support.cachetree import Planned, plan

EXPORTS = {"sync": "rw,sync,no_root_squash", "async": "rw,async,no_root_squash"}

KEPT = plan("kept")
"""What the server had written to its disk long before."""

RECENT = (plan("recent"), large("bulky", 1))
"""What was promoted some seconds before: some of it has only a name on the disk."""

LAST = plan("last")
CUT_OFF = large("cut-off", 5)
ALL = (KEPT, *RECENT, LAST, CUT_OFF)

_JOURNAL_S = 6
"""After so long ext4 has written names, and not yet what is in the files."""


@pytest.fixture(scope="module")
def after() -> Iterator[dict[str, NfsFleet]]:
    """The fleets after the cut: by the export, of a promoter and an empty runner each.

    The promoter is the one from before, with the cache and the state that it had.
    """
    folder = SHARED_MEMORY / f"wheelferry-cut-{time.monotonic_ns()}"
    folder.mkdir()
    try:
        disk = make_disk(folder / "disk.img")
        with Site.open(runners=4, disk=disk) as site:
            _promote_until_the_cut(site, folder)
        with Site.open(runners=4, disk=disk) as site:
            yield _open(site, folder)
    finally:
        shutil.rmtree(folder)


def _fleets(site: Site) -> dict[str, NfsFleet]:
    server, runners = site.server, site.runners
    fleets: dict[str, NfsFleet] = {}
    for number, (name, options) in enumerate(EXPORTS.items()):
        site.runners = runners[2 * number : 2 * number + 2]
        export = server.export(name, options)
        fleets[name] = make_fleet(site, name, export=export)
    site.runners = runners
    return fleets


def _promote_until_the_cut(site: Site, folder: Path) -> None:
    fleets = _fleets(site)
    promoters = [fleet.runners[0] for fleet in fleets.values()]
    _promote(promoters, KEPT)
    site.guest.shell("sync")
    _promote(promoters, *RECENT)
    time.sleep(_JOURNAL_S)
    _promote(promoters, LAST)
    for promoter in promoters:
        promoter.fill(CUT_OFF)
        promoter.machine.shell(
            f"tar -cf /run/out/{promoter.machine.name}.tar -C {promoter.home} ."
        )
        promoter.machine.shape(rate=SLOW)
        promoter.start("promote")
    for fleet in fleets.values():
        wait_until(partial(wrote_some, fleet), "a part of the pack")
    site.guest.cut_power()
    for saved in site.guest.out.glob("*.tar"):
        shutil.move(saved, folder)


def _promote(promoters: list[FerryRunner], *planned: Planned) -> None:
    for promoter in promoters:
        promoter.fill(*planned)
        succeeded(promoter.ferry("promote"))


def _open(site: Site, folder: Path) -> dict[str, NfsFleet]:
    fleets = _fleets(site)
    for fleet in fleets.values():
        promoter = fleet.runners[0]
        name = f"{promoter.machine.name}.tar"
        shutil.move(folder / name, site.guest.out)
        promoter.machine.shell(f"tar -xf /run/out/{name} -C {promoter.home}")
    return fleets


@pytest.fixture
def site(after: dict[str, NfsFleet]) -> Site:
    """The guest after the cut, in the place of the one that others use."""
    return after["sync"].site


@pytest.mark.usefixtures("site")
@pytest.mark.timeout(180)
def test_power_cut_of_a_sync_export_loses_nothing_promised(
    after: dict[str, NfsFleet],
) -> None:
    """What a promotion has reported is there after a power cut; what it had not, is not."""
    fleet = after["sync"]
    promoter, other = fleet.runners

    assert fleet.damage() == []
    assert succeeded(other.ferry("pull")).summary["restored"] == 4
    assert other.usable(ALL) == 4
    assert succeeded(promoter.ferry("promote")).summary["promoted"] == 1
    assert succeeded(other.ferry("pull")).summary["restored"] == 1
    assert other.usable(ALL) == 5
    assert fleet.damage() == []
    assert staged(fleet), "nothing was cut off"


@pytest.mark.usefixtures("site")
@pytest.mark.timeout(180)
def test_power_cut_of_an_async_export_loses_and_never_falsifies(
    after: dict[str, NfsFleet],
) -> None:
    """What a server lost that had promised it is named by verify, and is then missing.

    Promotions of runners that missed it put it back; a damaged segment warns until it
    is deleted.
    """
    fleet = after["async"]
    promoter, other = fleet.runners
    catalog = f"{fleet.export.path}/catalog"

    damage = fleet.damage()
    pulled = other.ferry("pull")

    assert damage, "nothing was lost"
    assert pulled.returncode == 0, pulled
    assert all("is left out" in text for text in pulled.warnings), pulled
    assert 1 <= pulled.summary["restored"] < 4, pulled
    assert other.usable(ALL) == pulled.summary["restored"]
    # Its jobs get the others from the index.
    other.fill(*RECENT, LAST)
    promoted = other.ferry("promote")
    assert promoted.returncode == 0, promoted
    left = [found for found in fleet.damage() if ": catalog/" not in found]
    assert left == []
    for found in fleet.damage():
        segment = found.partition(": catalog/")[2].partition(":")[0]
        fleet.site.server.shell(f"rm {catalog}/{segment}")
    assert fleet.damage() == []
    succeeded(promoter.ferry("promote"))
    other.empty()
    assert succeeded(other.ferry("pull")).summary["restored"] == 5
    assert other.usable(ALL) == 5
    assert fleet.damage() == []
