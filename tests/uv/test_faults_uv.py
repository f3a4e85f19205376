"""What goes wrong between two runners: nothing wrong reaches uv, and the rest goes on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.disks import CountingDisk, Step
from tests.support.fleet import Fleet, make_fleet, read_segment, reasons
from tests.support.project import Project
from tests.support.runner import Runner
from tests.support.site import NewRunner, Site
from wheelferry.errors import StoreNotInitialised
from wheelferry.ops.verify import VerifyReport
from wheelferry.pack.format import FORMAT_VERSION as PACK_VERSION
from wheelferry.sample import make_wheel
from wheelferry.store.record import Digest
from wheelferry.store.segment import encode_segment
from wheelferry.store.segment_footer import FORMAT_VERSION as SEGMENT_VERSION

pytestmark = pytest.mark.uv

WHEEL, SDIST = "pure-wheel==1.0", "pure-sdist==1.0"
SAYS = "import pure_wheel; print(pure_wheel.__version__)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A store that `a` has filled, and `b`, which has an empty cache.

    Attributes:
        project: Of the wheel and the sdist; each has a segment of its own.
    """

    fleet: Fleet
    site: Site
    new_runner: NewRunner
    project: Project
    a: Runner
    b: Runner


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


@pytest.fixture
def scene(site: Site, new_runner: NewRunner, fleet: Fleet) -> Scene:
    """A wheel and an sdist, promoted one after the other."""
    a = new_runner("a")
    project = site.project([WHEEL, SDIST])
    for each in (site.project([WHEEL]), project):
        a.sync(each)
        fleet.promote(a)
    assert [len(fleet.segments()), len(fleet.packs())] == [2, 2]
    return Scene(
        fleet=fleet,
        site=site,
        new_runner=new_runner,
        project=project,
        a=a,
        b=new_runner("b"),
    )


def pack_of(fleet: Fleet, name: str) -> Path:
    """Return the pack of the only entry of a package."""
    (digest,) = {record.pack for record in fleet.records() if record.name == name}
    return fleet.packs()[digest]


def segment_of(fleet: Fleet, name: str) -> Path:
    """Return the segment that has the only entry of a package."""
    (found,) = (
        path
        for path in fleet.segments()
        if any(record.name == name for record in read_segment(path).records)
    )
    return found


def errors(report: VerifyReport) -> dict[str, str]:
    """Return what `verify` calls an error, by subject."""
    return {
        finding.subject: finding.reference
        for finding in report.findings
        if finding.severity.value == "error"
    }


def cached_names(runner: Runner) -> set[str]:
    """Return the packages that have an archive in the cache."""
    return {
        path.name.partition("-")[0].replace("_", "-")
        for path in runner.cache.glob("archive-v0/*/*.dist-info")
    }


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "reference", "said"),
    [
        (truncate, "object-size", "bytes"),
        (flip, "object-corrupt", "does not have the digest"),
        (lengthen, "object-size", "bytes"),
        (empty, "object-size", "bytes"),
        (Path.unlink, "object-missing", "missing from the store"),
    ],
)
def test_damaged_pack_is_a_miss(scene, damage: Callable[[Path], None], reference, said):
    """Nothing of it is restored, and it is named; the other entry comes all the same."""
    fleet, b = scene.fleet, scene.b
    pack = pack_of(fleet, "pure-wheel")
    damage(pack)

    pulled = fleet.pull(b)

    assert pulled.names == ["pure-sdist"]
    failed = reasons(pulled.report.failed)
    assert failed.keys() == {"pure-wheel"}
    assert said in failed["pure-wheel"]
    (event,) = pulled.warnings
    assert event.name == "entry.failed"
    assert event.fields["pack"] == pack.name
    assert cached_names(b) == {"pure-sdist"}
    assert errors(fleet.verify()) == {pack.name: reference}
    result = b.sync(scene.project)
    assert (len(result.downloads), result.builds) == (1, ())
    assert b.python_says(SAYS) == "1.0"


@pytest.mark.parametrize(
    "damage", [truncate, lengthen, empty, Path.unlink], ids=lambda f: f.__name__
)
def test_damaged_pack_is_mended_by_the_next_promotion(scene, damage):
    """A runner that missed a pack, and then had the wheel elsewhere, puts it back."""
    fleet, b = scene.fleet, scene.b
    pack = pack_of(fleet, "pure-wheel")
    whole = pack.read_bytes()
    damage(pack)
    fleet.pull(b)
    b.sync(scene.project)

    assert fleet.promote(b).names == ["pure-wheel"]

    assert pack.read_bytes() == whole
    assert fleet.verify().is_clean
    c = scene.new_runner("c")
    assert fleet.pull(c).names == ["pure-sdist", "pure-wheel"]
    result = c.sync(scene.project)
    assert (result.requests, result.builds) == ((), ())


def test_exit_codes_tell_of_a_damaged_pack(scene):
    """`pull` exits with 0, with --strict 3, `verify` with 30; all of them name it."""
    fleet, b = scene.fleet, scene.b
    pack = pack_of(fleet, "pure-wheel")
    flip(pack)

    ran = fleet.command(b, "pull")
    strict = fleet.command(scene.new_runner("c"), "pull", "--strict")
    verified = fleet.command(b, "verify")

    assert (ran.returncode, strict.returncode, verified.returncode) == (0, 3, 30)
    for summary in (ran.summary, strict.summary):
        assert (summary["planned"], summary["restored"]) == (2, 1)
        assert [left["subject"].split()[0] for left in summary["failed"]] == (
            ["pure-wheel"]
        )
    (finding,) = verified.summary["findings"]
    assert (finding["subject"], finding["reference"]) == (pack.name, "object-corrupt")


def test_pack_of_a_newer_version_is_a_miss(scene):
    """A pack that only a newer Wheelferry reads is named, and the rest goes on."""
    fleet, b = scene.fleet, scene.b
    pack = pack_of(fleet, "pure-wheel")
    data = pack.read_bytes()
    newer = data[:8] + (PACK_VERSION + 1).to_bytes(2, "little") + data[10:]
    digest = hashlib.sha256(newer).hexdigest()
    (fleet.store / "objects" / digest[:2] / digest).write_bytes(newer)
    segment = segment_of(fleet, "pure-wheel")
    (record,) = read_segment(segment).records
    forged = encode_segment(
        [record._replace(pack=Digest(digest))], runner="newer", created_s=0
    )
    segment.unlink()
    name = hashlib.sha256(forged).hexdigest()
    segment.with_name(f"{name}.seg").write_bytes(forged)

    pulled = fleet.pull(b)

    assert pulled.names == ["pure-sdist"]
    failed = reasons(pulled.report.failed)
    assert "version 2" in failed["pure-wheel"]
    assert pulled.report.stopped_by is None
    assert cached_names(b) == {"pure-sdist"}
    assert fleet.command(b, "pull", "--strict").returncode == 3


def raise_version(path: Path) -> None:
    """Make a segment one of the next format version, under its right name."""
    data = bytearray(path.read_bytes())
    version, next_version = (
        number.to_bytes(4, "little")
        for number in (SEGMENT_VERSION, SEGMENT_VERSION + 1)
    )
    assert data[8:12] == data[-12:-8] == version
    data[8:12] = data[-12:-8] = next_version
    path.unlink()
    name = hashlib.sha256(data).hexdigest()
    path.with_name(f"{name}.seg").write_bytes(data)


def forge(path: Path) -> None:
    """Cut a segment, and give it the name that its bytes have now."""
    data = path.read_bytes()[:-7]
    path.unlink()
    path.with_name(f"{hashlib.sha256(data).hexdigest()}.seg").write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "reference", "said"),
    [
        (truncate, "object-corrupt", "SHA-256"),
        (flip, "object-corrupt", "SHA-256"),
        (empty, "object-corrupt", "SHA-256"),
        (forge, "record-malformed", "segment"),
        (raise_version, None, "version 2"),
    ],
)
def test_bad_segment_is_left_out(
    scene, damage: Callable[[Path], None], reference, said
):
    """Its records are not there, and it is named; those of the others are."""
    fleet, b = scene.fleet, scene.b
    wheel, sdist = segment_of(fleet, "pure-wheel"), segment_of(fleet, "pure-sdist")
    damage(wheel)
    (bad,) = (path for path in fleet.segments() if path != sdist)

    pulled = fleet.pull(b)

    assert pulled.names == ["pure-sdist"]
    assert pulled.plan.left == ()
    (event,) = pulled.warnings
    assert event.name == "segment.refused"
    assert event.fields["segment"] == bad.stem
    assert said in event.message
    assert cached_names(b) == {"pure-sdist"}
    found = {f"catalog/{bad.name}": reference} if reference else {}
    report = fleet.verify()
    assert errors(report) == found
    assert any(bad.name in finding.subject for finding in report.findings)
    result = b.sync(scene.project)
    assert (len(result.downloads), result.builds) == (1, ())
    ran = fleet.command(b, "pull")
    assert (ran.returncode, ran.summary["planned"]) == (0, 0)
    # The wheel is promoted again, by whoever has it.
    assert fleet.promote(b).names == ["pure-wheel"]


def test_records_that_disagree_on_a_digest_are_skipped(scene):
    """Two files under one name: nothing says which one is meant, so none is restored."""
    fleet, site, a, b = scene.fleet, scene.site, scene.a, scene.b
    other = make_wheel("pure-wheel", files={"pure_wheel/__init__.py": b"x = 1\n"})
    original = site.packages.find("pure-wheel")
    site.index.add(other)
    c = scene.new_runner("c")
    c.sync(site.project([WHEEL]))
    assert fleet.promote(c).names == ["pure-wheel"]
    site.index.add(original)

    pulled = fleet.pull(b)

    assert pulled.names == ["pure-sdist"]
    left = reasons(pulled.plan.left)
    assert left.keys() == {"pure-wheel"}
    assert original.sha256 in left["pure-wheel"]
    assert other.sha256 in left["pure-wheel"]
    assert cached_names(b) == {"pure-sdist"}
    result = b.sync(scene.project)
    assert (len(result.downloads), result.builds) == (1, ())
    assert b.python_says(SAYS) == "1.0"
    # What a runner has keeps serving it.
    for runner, version in ((a, "1.0"), (c, None)):
        assert fleet.pull(runner).report.failed == []
        if version:
            assert runner.sync(scene.project).requests == ()
    ran = fleet.command(scene.new_runner("d"), "pull", "--dry-run")
    (said,) = ran.summary["left"]
    assert said["subject"].startswith("pure-wheel 1.0")


def test_unmounted_share_is_away_and_not_empty(scene):
    """An empty directory where the store was: one warning, and nothing is made in it."""
    fleet, a, b = scene.fleet, scene.a, scene.b
    fleet.store.rename(fleet.store.with_name("elsewhere"))
    fleet.store.mkdir()

    for verb in ("pull", "promote"):
        ran = fleet.command(a, verb)
        assert (ran.returncode, ran.summary["error"]) == (0, "store-not-initialised")
        (warning,) = ran.warnings
        assert str(fleet.store) in warning
        strict = fleet.command(a, verb, "--strict")
        assert strict.returncode == StoreNotInitialised.exit_code == 21
        assert str(fleet.store) in strict.stderr
    for verb in ("status", "verify"):
        assert fleet.command(a, verb).returncode == 21
    assert list(fleet.store.iterdir()) == []
    # The job goes on as without us, and what was pulled once stays.
    assert len(b.sync(scene.project).downloads) == 2
    assert a.sync(scene.project).requests == ()


def test_share_that_comes_back_is_used_as_before(scene):
    """A share that was away for a while costs no more than that while."""
    fleet, a, b = scene.fleet, scene.a, scene.b
    elsewhere = fleet.store.with_name("elsewhere")
    fleet.store.rename(elsewhere)
    fleet.store.mkdir()
    assert fleet.command(b, "pull").summary["error"] == "store-not-initialised"
    fleet.store.rmdir()
    elsewhere.rename(fleet.store)

    assert fleet.command(b, "pull").summary["restored"] == 2

    assert b.sync(scene.project).requests == ()
    assert fleet.promote(a).plan.candidates == ()


def test_other_store_counts_as_away(scene, tmp_path):
    """A store with another id than the configured one is not used, and both are named."""
    fleet, a, b = scene.fleet, scene.a, scene.b
    other = make_fleet(tmp_path / "other")
    env = {"WHEELFERRY_STORE_ID": other.store_id}

    ran = fleet.command(b, "pull", env=env)
    strict = fleet.command(b, "pull", "--strict", env=env)
    promoted = fleet.command(a, "promote", env=env)

    assert (ran.returncode, strict.returncode, promoted.returncode) == (0, 21, 0)
    (warning,) = ran.warnings
    assert fleet.store_id in warning
    assert other.store_id in warning
    error = json.loads(strict.stderr)
    assert (error["reference"], error["exit_code"]) == ("store-not-initialised", 21)
    assert ran.summary["error"] == promoted.summary["error"] == "store-not-initialised"
    assert not b.cache.exists()


class MeddlingDisk(CountingDisk):
    """A disk before whose step of a name, on a path with a text, something happens."""

    def __init__(self, name: str, text: str, action: Callable[[], object]) -> None:
        super().__init__()
        self._name, self._text, self._action = name, text, action
        self.happened = False

    def before(self, step: Step) -> None:
        """Let it happen, once."""
        if self.happened or step.name != self._name:
            return
        if any(self._text in path for path in step.paths):
            self.happened = True
            self._action()


def test_entry_removed_while_it_is_packed_is_not_promoted(
    new_runner, site, each_uv, fleet
):
    """`uv cache clean PKG` during a promotion: that entry is named, the other goes in."""
    runner = new_runner("a", each_uv)
    runner.sync(site.project([WHEEL, SDIST]))

    def clean() -> None:
        runner.run("cache", "clean", "pure-wheel", env={"UV_LOCK_TIMEOUT": "5"})

    disk = MeddlingDisk("open_new", "staging", clean)

    promoted = fleet.promote(runner, disk=disk)

    assert disk.happened
    assert promoted.names == ["pure-sdist"]
    left = reasons(promoted.report.rejected)
    assert left.keys() == {"pure-wheel"}
    assert "changed while it was packed" in left["pure-wheel"]
    assert fleet.verify().is_clean


def test_entry_replaced_while_it_is_packed_is_not_promoted(new_runner, site, uv, fleet):
    """Another wheel in its place: what was packed is not what the pointer names now."""
    runner = new_runner("a", uv)
    project = site.project([WHEEL, SDIST])
    runner.sync(project)
    other = make_wheel("pure-wheel", files={"pure_wheel/__init__.py": b"x = 1\n"})

    def replace_wheel() -> None:
        site.index.add(other)
        pointer = next(runner.cache.glob("wheels-v*/index/*/pure-wheel/*.http"))
        pointer.unlink()  # as uv finds it damaged, and downloads the wheel again
        runner.sync(site.project([WHEEL]))

    disk = MeddlingDisk("write", "staging", replace_wheel)

    promoted = fleet.promote(runner, disk=disk)

    assert disk.happened
    left = reasons(promoted.report.rejected)
    assert left.keys() == {"pure-wheel"}
    assert "was replaced while it was packed" in left["pure-wheel"]
    assert promoted.names == ["pure-sdist"]
    assert fleet.promote(runner).names == ["pure-wheel"]
    (record,) = (record for record in fleet.records() if record.name == "pure-wheel")
    assert record.hashes == (f"sha256:{other.sha256}",)


def test_cache_cleaned_while_it_is_restored_stays_sound(
    new_runner, site, each_uv, fleet
):
    """`uv cache clean` between fetching and publishing: later all of it is there."""
    project = site.project([WHEEL, SDIST])
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    fleet.promote(a)
    b.run("cache", "dir")
    disk = MeddlingDisk("open_new", "staging", lambda: b.run("cache", "clean"))

    pulled = fleet.pull(b, disk=disk)

    assert disk.happened
    assert pulled.names == ["pure-sdist", "pure-wheel"]
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())
