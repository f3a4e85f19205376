"""How doctor finds out what it judges: real files, processes, and an index."""

import os
import pwd
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tiers import make_store
from wheelferry.disk import Disk
from wheelferry.doctor.checks.index import IndexFacts
from wheelferry.doctor.checks.mount import judge_mount
from wheelferry.doctor.checks.places import judge_places
from wheelferry.doctor.checks.service import Inotify
from wheelferry.doctor.examine import Examiner, Unanswered, bounded, examine
from wheelferry.doctor.look.index import hide_credentials, look_at_indexes
from wheelferry.doctor.look.places import look_at_places
from wheelferry.doctor.look.service import look_at_inotify
from wheelferry.doctor.look.share import look_at_mount, look_at_share
from wheelferry.doctor.look.uv import look_at_uv
from wheelferry.doctor.setup import IndexSetup, Setup
from wheelferry.events import Event, discard
from wheelferry.ops.finding import Finding, Severity
from wheelferry.ops.silence import note
from wheelferry.sample import POLICIES, Index, make_wheel

AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="run the tests as root to enable it"
)
OTHER = 4711


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """A runner with a cache of one archive, a store, and no uv."""
    archive = tmp_path / "cache" / "archive-v0" / "abc"
    archive.mkdir(parents=True)
    (archive / "module.py").write_text("x = 1\n")
    (tmp_path / "cache.wheelferry").mkdir()
    (tmp_path / "work").mkdir()
    return Setup(
        cache=tmp_path / "cache",
        cache_origin="",
        state=tmp_path / "cache.wheelferry",
        store=make_store(tmp_path / "store"),
        store_id=None,
        runner="r1",
        timeout_s=30.0,
        promotes=True,
        uv_paths=(),
        uv_versions=(),
        workspace=tmp_path / "work",
        environ={"PATH": os.defpath, "HOME": str(tmp_path)},
        link_mode=("", ""),
        no_cache=("", ""),
        indexes=(),
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another filesystem than that of the tests."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        if Path(name).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("needs a filesystem beside that of /tmp in /dev/shm")
        yield Path(name)


def everything_in(root: Path) -> set[tuple[str, int]]:
    """Return all paths below a folder, with their numbers of links."""
    return {(str(path), path.lstat().st_nlink) for path in root.rglob("*")}


def verdicts(findings: list[Finding]) -> dict[str, str]:
    """Return the worst severity of each check that is not just "ok"."""
    order = list(Severity)
    found: dict[str, str] = {}
    for finding in sorted(findings, key=lambda f: -order.index(f.severity)):
        if finding.severity is not Severity.OK:
            found[finding.reference] = finding.severity.value
    return found


def test_hardlink_is_tried_with_a_file_of_the_cache(
    setup: Setup, tmp_path: Path
) -> None:
    """Both trials work on one filesystem, and nothing stays of them."""
    before = everything_in(tmp_path)
    places = look_at_places(setup, Disk())

    assert (places.link.number, places.link.failed_at) == (0, "")
    assert places.move is not None
    assert places.move.number == 0
    assert verdicts(list(judge_places(places))).keys() <= {"cache-filesystem"}
    assert everything_in(tmp_path) == before


@pytest.mark.parametrize("has_cache", [True, False])
def test_workspace_elsewhere_is_found(
    setup: Setup, tmp_path: Path, elsewhere: Path, *, has_cache: bool
) -> None:
    """link(2) says so, with a file of the cache or, before there is one, of our own."""
    if not has_cache:
        setup = setup._replace(cache=tmp_path / "none" / "uv")
    before = everything_in(tmp_path)
    places = look_at_places(setup._replace(workspace=elsewhere), Disk())
    (finding,) = [f for f in judge_places(places) if f.reference == "hardlinks"]

    assert finding.severity is Severity.WARNING
    assert f"two mounts, {places.mount_point} and /dev/shm" in finding.message
    assert everything_in(tmp_path) == before
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("has_state", [True, False])
def test_state_elsewhere_is_found(
    setup: Setup, elsewhere: Path, *, has_state: bool
) -> None:
    """By a rename, or by its device where there is no directory yet."""
    state = elsewhere if has_state else elsewhere / "state"
    places = look_at_places(setup._replace(state=state), Disk())

    assert verdicts(list(judge_places(places)))["state"] == "error"
    assert list(elsewhere.iterdir()) == []


def test_workspace_that_is_not_there_is_a_finding(setup: Setup) -> None:
    """The trial could not be made, and says where to make it."""
    places = look_at_places(setup._replace(workspace=Path("/nonexistent/x")), Disk())
    (finding,) = [f for f in judge_places(places) if f.reference == "hardlinks"]

    assert finding.message.startswith("could not be tried: /nonexistent/x: ")
    assert "--workspace DIR" in finding.hint


@AS_ROOT
def test_cache_that_cannot_be_reached_is_found(setup: Setup, tmp_path: Path) -> None:
    """It is told by one error, and not as something that could not be looked at."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for path in (tmp_path, *tmp_path.parents[:-1]):
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    new = setup._replace(cache=closed / "ci/uv", state=closed / "ci/uv.wheelferry")
    os.seteuid(OTHER)
    try:
        places = look_at_places(new, Disk())
    finally:
        os.seteuid(0)

    assert places.barrier == ""
    assert places.refusal is not None
    assert f"may not enter {closed}" in places.refusal[0]


def test_cache_that_cannot_be_made_is_found(setup: Setup, tmp_path: Path) -> None:
    """Before the first job, too: a pull would do nothing, and so would uv."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for path in (tmp_path, *tmp_path.parents[:-1]):
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    new = setup._replace(cache=closed / "ci/uv", state=closed / "ci/uv.wheelferry")
    me = os.geteuid()
    if me == 0:
        os.seteuid(OTHER)
    try:
        places = look_at_places(new, Disk())
        assert look_at_places(setup, Disk()).barrier == ""
    finally:
        os.seteuid(me)

    assert places.barrier == str(closed)
    assert verdicts(list(judge_places(places)))["state"] == "error"


@AS_ROOT
def test_archives_of_others_are_found(setup: Setup) -> None:
    """Each archive counts, whoever the cache belongs to."""
    for name in ("b", "c"):
        (setup.cache / "archive-v0" / name).mkdir()
    os.chown(setup.cache / "archive-v0" / "b", OTHER, -1)
    places = look_at_places(setup, Disk())

    assert (places.archives, places.foreign) == (3, ("b",))
    assert (places.foreign_owner, places.user) == (str(OTHER), pwd.getpwuid(0).pw_name)


@AS_ROOT
def test_protected_hardlink_is_found(setup: Setup, tmp_path: Path) -> None:
    """A user who may read the cache and does not own its files cannot link them."""
    if Path("/proc/sys/fs/protected_hardlinks").read_text().strip() != "1":
        pytest.skip("needs fs.protected_hardlinks = 1")
    for path in (tmp_path, *tmp_path.parents[:-1]):
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    os.chown(setup.workspace, OTHER, -1)
    os.seteuid(OTHER)
    try:
        places = look_at_places(setup, Disk())
    finally:
        os.seteuid(0)
    (finding,) = [f for f in judge_places(places) if f.reference == "hardlinks"]

    assert "it belongs to root, and fs.protected_hardlinks = 1" in finding.message
    assert f"sudo chown -R {OTHER} {setup.cache}" in finding.hint


def test_cache_of_another_user_is_found_by_the_rule_of_pull(setup: Setup) -> None:
    """What pull would refuse is an error here, with the same words."""
    if os.geteuid() == 0:
        os.chown(setup.cache, pwd.getpwnam("daemon").pw_uid, -1)
        places = look_at_places(setup, Disk())
        assert places.refusal is not None
        assert "belongs to user daemon" in places.refusal[0]
    else:
        assert look_at_places(setup, Disk()).refusal is None


def test_share_is_surveyed(setup: Setup) -> None:
    """A local store answers, has room, and takes a file; which is gone again."""
    assert setup.store is not None
    before = everything_in(setup.store)
    facts = look_at_share(setup, Disk())

    assert facts.trouble is None
    assert facts.survey is not None
    began_s, ended_s = facts.survey.clock_s
    assert began_s - 1 < facts.survey.written_s < ended_s + 1
    assert len(facts.survey.answers_s) == 5
    assert facts.survey.real_path == str(setup.store)
    assert everything_in(setup.store) == before

    mount = look_at_mount(setup.store, setup, facts)
    assert mount.is_cache
    assert [f.severity.value for f in judge_mount(mount)] == ["info"]


def test_pull_only_runner_writes_nothing(setup: Setup) -> None:
    """Where nothing is promoted, writing is not tried."""
    facts = look_at_share(setup._replace(promotes=False), Disk())

    assert facts.survey is not None
    assert (facts.survey.written_s, facts.survey.trouble) == (0.0, "")


def test_store_with_another_id_is_trouble(setup: Setup) -> None:
    """And nothing of it is surveyed, nor written to."""
    facts = look_at_share(setup._replace(store_id="0" * 32), Disk())

    assert facts.survey is None
    assert facts.trouble is not None
    assert "is configured" in facts.trouble[0]


def test_silence_that_is_remembered_is_told(setup: Setup) -> None:
    """A store that answers now may still be left alone."""
    from wheelferry.disk import clock

    note(setup.state, str(setup.store), disk=Disk(), now_s=clock.now_s())

    assert 50 < look_at_share(setup, Disk()).skipped_s <= 60


def test_inotify_in_use_is_counted() -> None:
    """A new instance with two watches shows, in the figures of this user."""
    import ctypes

    libc = ctypes.CDLL(None)
    before = look_at_inotify()
    fd = libc.inotify_init()
    try:
        for path in (b"/", b"/tmp"):
            libc.inotify_add_watch(fd, path, 0x100)
        after = look_at_inotify()
    finally:
        os.close(fd)

    assert isinstance(after, Inotify)
    assert after.instances >= before.instances + 1
    assert after.watches >= before.watches + 2
    assert after.max_instances == int(
        Path("/proc/sys/fs/inotify/max_user_instances").read_text()
    )


def make_uv(folder: Path, script: str) -> Path:
    """Make a program named uv."""
    folder.mkdir(exist_ok=True)
    path = folder / "uv"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return folder


def test_first_uv_is_asked_where_its_cache_is(setup: Setup, tmp_path: Path) -> None:
    """Of a project too; a uv that fails is told of, with what it says."""
    broken = make_uv(tmp_path / "a", "echo 'no such thing' >&2; exit 3")
    works = make_uv(
        tmp_path / "b",
        'case "$*" in --version) echo uv 0.13.9;; *) pwd; esac',
    )
    facts = look_at_uv(setup._replace(uv_paths=(broken, works)))

    assert [b.release for b in facts.binaries] == [(), (0, 13, 9)]
    assert facts.binaries[0].trouble.endswith("failed with exit code 3: no such thing")
    assert (facts.said, facts.said_there) == ("/", str(setup.workspace))


def test_unknown_bucket_is_found(setup: Setup) -> None:
    """By the scan that a promotion makes."""
    (setup.cache / "wheels-v999").mkdir()

    assert look_at_uv(setup).unknown == ("wheels-v999",)


@pytest.fixture
def index() -> Iterator[Index]:
    """An index with a package."""
    with Index([make_wheel("pure", "1.0")]) as index:
        yield index


def ask(setup: Setup, url: str, override: str = "") -> IndexFacts:
    """Ask one index."""
    found = look_at_indexes(
        setup._replace(indexes=(IndexSetup(url, "--index", override),))
    )
    return found[0]


@pytest.mark.parametrize("name", ["pypi", "no-store", "no-headers"])
def test_index_is_asked_for_one_file(setup: Setup, index: Index, name: str) -> None:
    """Its page, then the file that is linked there, of which the header is all."""
    index.policy = POLICIES[name]
    facts = ask(setup, f"{index.simple_url}/pure")

    assert facts.cache_control == (POLICIES[name].file_cache or "")
    assert [r.path for r in index.requests] == [
        "/simple/pure/",
        "/files/pure-1.0-py3-none-any.whl",
    ]


def test_index_is_followed_from_its_list(
    setup: Setup, index: Index, tmp_path: Path
) -> None:
    """From the list of all packages to one of them; links to elsewhere are not followed."""
    list_ = tmp_path / "list.html"
    list_.write_text(
        f"<a href='http://192.0.2.1/x/'>x</a><a href='{index.url}/direct/'>y</a>"
        '<a rel="z"\n href="pure/">pure</a>'
    )
    index.mount("simple", list_)
    facts = ask(setup, index.simple_url)

    assert facts.cache_control == POLICIES["pypi"].file_cache
    assert [r.path for r in index.requests] == [
        "/simple/",
        "/simple/pure/",
        "/files/pure-1.0-py3-none-any.whl",
    ]


def test_index_without_files_is_a_finding(
    setup: Setup, index: Index, tmp_path: Path
) -> None:
    """Nothing there, or nothing that is a file: it says so."""
    assert ask(setup, f"{index.url}/no").trouble == "it answered 404 Not Found"
    page = tmp_path / "page.html"
    page.write_text("<a href='gone/'>of a package that was removed</a>")
    index.mount("no", page)
    assert "no link to a file" in ask(setup, f"{index.url}/no").trouble


def test_index_that_is_away_is_a_finding(setup: Setup) -> None:
    """In the system's words, and without the password of the URL."""
    facts = ask(setup, "http://me:secret@127.0.0.1:1/simple?token=abc")

    assert facts.trouble == "Connection refused"
    assert facts.url == "http://127.0.0.1:1/simple"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.example:8443/a?t=1#x", "https://h.example:8443/a"),
        ("https://h.example/a/", "https://h.example/a/"),
        ("https://tok@h.example", "https://h.example"),
    ],
)
def test_credentials_are_hidden(url: str, shown: str) -> None:
    """User, password, query and fragment are never in what is shown."""
    assert hide_credentials(url) == shown


def test_look_that_fails_keeps_no_other_from_being_made() -> None:
    """It is a finding under the name of its check; its traceback is for `-v`."""
    heard: list[Event] = []
    examiner = Examiner(heard.append)

    def fail() -> int:
        raise ZeroDivisionError("of all things")

    assert examiner.look("uv", fail, lambda _: ()) is None
    assert examiner.look("index", lambda: 1, lambda _: ()) == 1
    (finding,) = examiner.findings
    assert (finding.reference, finding.severity) == ("uv", Severity.WARNING)
    assert "of all things" in finding.message
    assert "ZeroDivisionError" in heard[0].message


def test_look_that_hangs_is_left_behind() -> None:
    """A cache on a dead share holds up nothing but its own checks."""
    let_go = threading.Event()
    examiner = Examiner(discard)
    examiner.look("hardlinks", bounded(let_go.wait, limit_s=0.05), lambda _: ())
    let_go.set()

    (finding,) = examiner.findings
    assert (finding.reference, finding.message) == (
        "hardlinks",
        "this could not be looked at: no answer within 0.05 s",
    )


def test_bounded_look_raises_what_it_raised() -> None:
    """An error of the other thread is one of this thread."""
    with pytest.raises(KeyError):
        bounded(lambda: os.environ["WHEELFERRY_NONE"], limit_s=5)()
    assert not issubclass(Unanswered, OSError)


def test_examination_leaves_no_trace(setup: Setup, tmp_path: Path) -> None:
    """All looks together change nothing, on this machine or on the share."""
    before = everything_in(tmp_path)
    found = examine(setup, Disk(), discard)

    assert found.worst is Severity.WARNING  # no uv, and no configured id
    assert everything_in(tmp_path) == before
    assert found.left_out == ()
