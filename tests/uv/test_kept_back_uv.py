"""What is promoted, and what stays on its runner and is said to."""

from pathlib import Path

import pytest

from tests.support import uvs
from tests.support.fleet import Fleet, make_fleet, reasons
from tests.support.runner import Runner
from wheelferry.events import Level
from wheelferry.ops.rules import Rules
from wheelferry.sample import POLICIES, RequestKind
from wheelferry.uvcache.entry import Kind
from wheelferry.uvcache.scan import scan_cache

pytestmark = pytest.mark.uv

HASHLESS_UVS = ("0.5.14", "0.9.30")
"""Versions that keep no digest where the index gives none."""

SECRET = "token=not-to-be-shared-with-anybody"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A store of our own."""
    return make_fleet(tmp_path / "store")


def cached_file(runner: Runner, pattern: str) -> Path:
    """Return the one file in the archives of a cache that matches."""
    (path,) = (runner.cache / "archive-v0").glob(f"*/{pattern}")
    return path


def test_wheel_that_was_only_resolved_is_promoted(site, new_runner, each_uv, fleet):
    """A job that resolves builds a wheel and does not unpack it: others get it whole."""
    project = site.project(["dynamic-sdist"])
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.check_out(project)
    (a.work / "uv.lock").unlink()
    locked = a.run("lock", f"--python={a.python.executable}")
    assert len(locked.builds) == 1
    (entry,) = scan_cache(a.cache).entries
    assert (entry.archive, entry.info.name) == (None, "dynamic-sdist")

    assert fleet.promote(a).names == ["dynamic-sdist"]
    assert fleet.pull(b).names == ["dynamic-sdist"]

    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())
    assert b.copied_files() == []
    assert b.python_says("import dynamic_sdist; print(1)") == "1"
    assert b.sync(project, "--reinstall").builds == ()


def test_resolved_and_installed_wheels_make_one_pack(site, new_runner, uv, tmp_path):
    """The pack of a `.whl` is that of the archive that uv makes of it."""
    project = site.project(["dynamic-sdist"])
    resolver, installer = new_runner("a", uv), new_runner("b", uv)
    resolver.check_out(project)
    (resolver.work / "uv.lock").unlink()
    resolver.run("lock", f"--python={resolver.python.executable}")
    installer.sync(project)
    digests = []
    for runner in (resolver, installer):
        fleet = make_fleet(tmp_path / f"store-of-{runner.root.name}")
        assert len(fleet.promote(runner).names) == 1
        digests.append(sorted(fleet.packs()))

    assert digests[0] == digests[1]


def test_nothing_of_a_no_store_index_is_shared(site, new_runner, each_uv, fleet):
    """What an index forbids to store, uv does not keep: there is nothing to promote."""
    site.index.policy = POLICIES["no-store"]
    project = site.project(["pure-wheel==1.0", "pure-sdist==1.0"])
    a = new_runner("a", each_uv)
    a.sync(project)

    promoted = fleet.promote(a)

    assert promoted.plan.candidates == ()
    assert (promoted.warnings, fleet.packs()) == ((), {})


@pytest.mark.parametrize("policy", ["etag-only", "no-headers", "expired", "no-cache"])
def test_headers_of_an_index_do_not_matter(site, new_runner, uv, fleet, policy):
    """What uv keeps is shared and used, however reluctantly its index let it."""
    site.index.policy = POLICIES[policy]
    project = site.project()
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(project)

    fleet.promote(a)

    assert len(fleet.pull(b).names) == 7
    result = b.sync(project)
    assert (result.requests, result.builds) == ((), ())


def test_index_without_digests_is_shared(site, new_runner, each_uv, fleet):
    """What an index gives no digests for serves `uv pip install` on another runner."""
    site.index.policy = POLICIES["no-hashes"]
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    for runner in (a, b):
        runner.work.mkdir(parents=True)
    a.pip("install", "pure-wheel==1.0")
    (entry,) = scan_cache(a.cache).entries
    # From 0.12 on (or earlier), uv computes a digest where the index gives none.
    assert bool(entry.info.hashes) == (each_uv.release >= (0, 12))

    assert fleet.promote(a).names == ["pure-wheel"]
    assert fleet.pull(b).names == ["pure-wheel"]

    result = b.pip("install", "pure-wheel==1.0")
    # From 0.12 on, uv asks whether the file is still the same, which moves no bytes.
    kinds = {request.kind for request in result.requests if request.body_bytes}
    assert kinds == {RequestKind.PAGE}


@pytest.mark.parametrize("version", HASHLESS_UVS)
def test_entry_without_digests_does_not_serve_a_lock(site, new_runner, fleet, version):
    """The limit: a job whose lock has hashes downloads such a wheel once more."""
    project = site.project(["pure-wheel==1.0"])
    site.index.policy = POLICIES["no-hashes"]
    a, b = (new_runner(name, uvs.load_uv_or_skip(version)) for name in "ab")
    a.work.mkdir(parents=True)
    a.pip("install", "pure-wheel==1.0")
    fleet.promote(a)
    assert fleet.pull(b).names == ["pure-wheel"]

    result = b.sync(project)

    assert len([r for r in result.downloads if r.body_bytes]) == 1
    assert b.sync(project, "--offline").returncode == 0
    # What uv has now is better than what the store has: it stays, and is promoted.
    pulled = fleet.pull(b)
    assert (pulled.names, pulled.warnings) == ([], ())
    assert fleet.promote(b).names == ["pure-wheel"]


@pytest.mark.parametrize("version", HASHLESS_UVS)
def test_entry_without_digests_gives_way_to_one_with_them(
    site, new_runner, fleet, version
):
    """Of two records for one wheel, a pull takes the one that a lock can use."""
    project = site.project(["pure-wheel==1.0"])
    hashless, locked, c = (
        new_runner(name, uvs.load_uv_or_skip(version)) for name in "abc"
    )
    locked.sync(project)
    site.index.policy = POLICIES["no-hashes"]
    hashless.work.mkdir(parents=True)
    hashless.pip("install", "pure-wheel==1.0")
    fleet.promote(hashless)
    fleet.promote(locked)
    assert [bool(record.hashes) for record in fleet.records()].count(True) == 1
    assert (len(fleet.records()), len(fleet.packs())) == (2, 1)

    pulled = fleet.pull(c)

    (record,) = pulled.report.restored
    assert record.hashes
    result = c.sync(project)
    assert (result.requests, result.builds) == ((), ())


@pytest.mark.parametrize("version", ["0.9.30", "0.12.24", "newest"])
@pytest.mark.parametrize("query", [f"?{SECRET}", "?X-Amz-Signature=00ff&n=1"])
def test_url_with_a_secret_is_not_promoted(site, new_runner, fleet, version, query):
    """A wheel or an sdist from such a URL stays here, by name; the rest goes on."""
    sources = {
        name: f'url = "{site.index.direct_url(dist.filename)}{query}"'
        for name in ("url-wheel", "url-sdist")
        if (dist := site.packages.find(name))
    }
    project = site.project(["url-wheel", "url-sdist", "pure-wheel"], sources=sources)
    a = new_runner("a", uvs.load_uv_or_skip(version))
    a.sync(project)

    promoted = fleet.promote(a)

    assert promoted.names == ["pure-wheel"]
    left = reasons(promoted.plan.left)
    assert sorted(left) == ["url-sdist", "url-wheel"]
    name, _, secret = query[1:].partition("=")
    assert all(f"({name})" in text for text in left.values())
    stored = [path for path in fleet.store.rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in stored)


@pytest.mark.parametrize(
    ("rules", "shared"),
    [
        (Rules(include=("pure-*",)), ["pure-sdist", "pure-wheel"]),
        (Rules(include=("pure-*",), exclude=("*-sdist",)), ["pure-wheel"]),
        (Rules(kinds=(Kind.GIT, Kind.URL_SDIST)), ["git-dep", "url-sdist"]),
        (
            Rules(exclude_indexes=("{index}/simple",)),
            ["git-dep", "url-sdist", "url-wheel"],
        ),
        (
            Rules(include_indexes=("{index}/simple",)),
            ["cext-sdist", "native-wheel", "pure-sdist", "pure-wheel"],
        ),
        (
            Rules(exclude_indexes=("{index}/direct/*",)),
            ["cext-sdist", "git-dep", "native-wheel", "pure-sdist", "pure-wheel"],
        ),
        (Rules(include_indexes=("pypi",)), []),
    ],
    ids=["include", "exclude", "kinds", "no-index", "index", "no-urls", "pypi"],
)
def test_rules_choose_what_is_shared(site, new_runner, fleet, rules, shared):
    """Names, kinds and indexes are kept back by the rules of promote, and of pull."""
    here = {
        name: tuple(
            text.replace("{index}", site.index.url) for text in getattr(rules, name)
        )
        for name in ("include_indexes", "exclude_indexes")
    }
    rules = rules._replace(**here)
    a, b, c = (new_runner(name) for name in "abc")
    a.sync(site.project())

    promoted = fleet.promote(a, rules=rules)

    assert promoted.names == shared
    assert len(promoted.plan.left) == 7 - len(shared)
    assert fleet.pull(b).names == shared
    fleet.promote(a)
    pulled = fleet.pull(c, rules=rules)
    assert pulled.names == shared
    assert len(pulled.plan.left) == 7 - len(shared)


def test_rules_are_flags_of_the_program(site, new_runner, uv, fleet):
    """`--include` and `--exclude` do the same, and a variable keeps an index back."""
    a, b = new_runner("a", uv), new_runner("b", uv)
    a.sync(site.project())

    plan = fleet.command(a, "promote", "--dry-run", "--include", "pure-*")
    names = {entry["name"] for entry in plan.summary["candidates"]}
    assert (names, fleet.records()) == ({"pure-sdist", "pure-wheel"}, [])
    index = f"{site.index.url}/simple"
    env = {"WHEELFERRY_PROMOTE_EXCLUDE_INDEXES": index}
    assert fleet.command(a, "promote", env=env).summary["promoted"] == 3
    assert fleet.command(a, "promote").summary["promoted"] == 4
    ran = fleet.command(b, "pull", "--exclude", "pure-*", "--exclude", "git-dep")
    assert (ran.summary["restored"], len(ran.summary["left"])) == (4, 3)


def test_edit_through_an_environment_is_not_promoted(site, new_runner, each_uv, fleet):
    """A file that a job edited in its environment is named, and its wheel stays here."""
    project = site.project(["pure-wheel==1.0", "pure-sdist==1.0"])
    a, b = new_runner("a", each_uv), new_runner("b", each_uv)
    a.sync(project)
    installed = a.site_packages / "pure_wheel/__init__.py"
    with installed.open("a") as file:
        file.write("edited = True\n")
    assert "edited" in cached_file(a, "pure_wheel/__init__.py").read_text()

    promoted = fleet.promote(a)

    assert promoted.names == ["pure-sdist"]
    (left,) = promoted.report.rejected
    assert left.subject.startswith("pure-wheel 1.0")
    assert "pure_wheel/__init__.py has " in left.reason
    (event,) = promoted.warnings
    assert (event.name, event.level) == ("entry.rejected", Level.WARNING)
    assert fleet.pull(b).names == ["pure-sdist"]
    assert fleet.verify().is_clean
    ran = fleet.command(a, "promote")
    assert (ran.returncode, len(ran.summary["rejected"])) == (0, 1)
    assert fleet.command(a, "promote", "--strict").returncode == 3


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def add_beside(path: Path) -> None:
    path.with_name("extra.py").write_text("extra = 1\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (flip, "pure_wheel/data.bin does not match its digest in RECORD"),
        (empty, "pure_wheel/data.bin is empty"),
        (Path.unlink, "pure_wheel/data.bin is listed in RECORD, but missing"),
        (add_beside, "pure_wheel/extra.py is not listed in RECORD"),
    ],
)
def test_damaged_archive_is_not_promoted(site, new_runner, fleet, damage, said):
    """Files that are changed, empty, missing or too many keep a wheel here, by name."""
    a = new_runner("a")
    a.sync(site.project(["pure-wheel==1.0", "pure-sdist==1.0"]))
    a.remove_venv()
    damage(cached_file(a, "pure_wheel/data.bin"))

    promoted = fleet.promote(a)

    assert promoted.names == ["pure-sdist"]
    (left,) = promoted.report.rejected
    assert said in left.reason


def test_bucket_of_a_newer_uv_is_said_and_left_alone(site, new_runner, uv, fleet):
    """A bucket newer than we are is told of loudly, by name; known ones are shared."""
    a = new_runner("a", uv)
    a.sync(site.project(["pure-wheel==1.0", "pure-sdist==1.0"]))
    (wheels,) = a.cache.glob("wheels-v*")
    wheels.rename(a.cache / "wheels-v99")

    promoted = fleet.promote(a)

    assert promoted.names == ["pure-sdist"]
    (event,) = promoted.warnings
    assert (event.name, event.level) == ("format.unknown", Level.ERROR)
    assert event.fields == {"format": "wheels-v99", "entries": 1}
    (sdists,) = a.cache.glob("sdists-v*")
    sdists.rename(a.cache / "sdists-v99")
    ran = fleet.command(a, "promote")
    assert (ran.returncode, ran.summary["planned"]) == (0, 0)
    assert len(ran.warnings) == 2
    assert all(name in str(ran.warnings) for name in ("sdists-v99", "wheels-v99"))
