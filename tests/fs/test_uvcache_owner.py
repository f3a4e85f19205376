"""A pull under the wrong user is refused before it does any harm."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.entries import make_info
from tests.support.restoring import restore, staging_of
from wheelferry.cli.crash import write_report
from wheelferry.cli.session import Session
from wheelferry.cli.wiring import check_cache
from wheelferry.disk import Disk
from wheelferry.errors import CacheError
from wheelferry.uvcache.owner import check_owner, check_reach
from wheelferry.uvcache.stage import Stage

DAEMON, UNKNOWN, UNMAPPED = 1, 54321, 65534

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="run the tests as root to enable it"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A cache that was made, in a place that others can reach."""
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    restore(tmp_path / "cache", make_info())
    return tmp_path / "cache"


def give(root: Path, uid: int) -> None:
    for path in (root, root / "CACHEDIR.TAG"):
        os.chown(path, uid, -1)


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    before = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before)


def test_cache_that_cannot_be_reached_is_refused(root):
    """In a home of another user; whose it is, is that of the directory in the way."""
    root.parent.chmod(0o700)
    with as_user(DAEMON), pytest.raises(CacheError) as caught:
        check_reach(root / "uv")
    assert f"may not enter {root.parent}, which the uv cache" in caught.value.message
    assert f"`chmod a+x {root.parent}`" in (caught.value.hint or "")
    os.chown(root.parent, DAEMON, -1)
    with as_user(UNKNOWN), pytest.raises(CacheError) as caught:
        check_reach(root)
    assert "`sudo -u daemon wheelferry ...`" in (caught.value.hint or "")
    with as_user(DAEMON):
        check_reach(root)
        check_reach(root / "not/there")


def test_command_says_that_the_cache_cannot_be_reached(root):
    """Pull said nothing at all, and status showed a traceback."""
    session = SimpleNamespace(
        config=SimpleNamespace(cache=SimpleNamespace(path=root / "uv"))
    )
    root.parent.chmod(0o700)
    with as_user(DAEMON), pytest.raises(CacheError, match="may not enter"):
        check_cache(cast("Session", session), needs_cache=False)


def test_report_of_a_fault_goes_to_another_place(root, tmp_path_factory):
    """A state directory that cannot be looked at keeps no fault from being told."""
    temporary = tmp_path_factory.mktemp("other")
    os.chown(temporary, DAEMON, -1)
    for path in (temporary, *temporary.parents[:2]):
        path.chmod(0o755)
    root.parent.chmod(0o700)
    with as_user(DAEMON):
        path = write_report(
            ValueError(), [], {"TMPDIR": str(temporary)}, root / "state"
        )
    assert path is not None
    assert path.parent == temporary


def test_own_cache_is_fine(root):
    """Also that of root, where jobs run as root."""
    check_owner(root)
    give(root, DAEMON)
    with as_user(DAEMON):
        check_owner(root)


def test_root_is_refused_in_another_users_cache(root):
    """uv would fail on root's files, and get no hardlinks to them."""
    give(root, DAEMON)
    with pytest.raises(CacheError, match="belongs to user daemon") as caught:
        check_owner(root)
    assert caught.value.hint == "run as that user: `sudo -u daemon wheelferry ...`"


def test_staging_refuses_before_anything_is_made(root):
    """The restore asks, so that no caller can forget to."""
    give(root, DAEMON)
    with pytest.raises(CacheError, match="belongs to user daemon"):
        Stage(root, staging_of(root), Disk())


def test_who_made_the_cache_counts_not_who_made_its_directory(root):
    """An administrator may have made the directory, for everybody."""
    root.chmod(0o777)
    os.chown(root / "CACHEDIR.TAG", DAEMON, -1)
    with pytest.raises(CacheError, match="daemon"):
        check_owner(root)
    with as_user(DAEMON):
        check_owner(root)


def test_cache_that_is_not_there_yet_is_its_parents_owners(tmp_path):
    """Root would make `~/.cache/uv` of a user for itself."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, DAEMON, -1)
    with pytest.raises(CacheError, match=r"cache/uv belongs to user daemon"):
        check_owner(home / ".cache/uv")


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o1775])
def test_cache_in_a_shared_place_may_be_anybodys(tmp_path, mode):
    """Who owns `/tmp` tells nothing."""
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(mode)
    os.chown(place, DAEMON, -1)
    check_owner(place / "cache")


@pytest.mark.parametrize("uid", [UNKNOWN, UNMAPPED])
def test_owner_from_outside_of_a_container_is_fine(root, uid):
    """The volume is of a user whom the container does not know; its jobs run as root."""
    give(root, uid)
    check_owner(root)


def test_group_may_share_a_cache(root):
    """Who may write to a cache that is another's was let in on purpose."""
    root.chmod(0o777)
    with as_user(DAEMON):
        check_owner(root)


def test_other_user_who_may_not_write_is_refused(root):
    """With the name of the user whose cache it is."""
    with as_user(DAEMON), pytest.raises(CacheError, match="belongs to user root"):
        check_owner(root)


@pytest.mark.parametrize("name", ["CACHEDIR.TAG", ""])
def test_link_to_a_file_of_roots_makes_no_cache_of_roots(root, name):
    """A job may put one there; root would go on, in a place of the job's choice."""
    give(root, DAEMON)
    place = root / name
    place.rename(root.parent / "was")
    place.symlink_to("/etc/passwd" if name else "/etc")
    os.lchown(place, DAEMON, -1)
    with pytest.raises(CacheError, match="belongs to user daemon"):
        check_owner(root)


def test_link_that_root_made_is_followed(root):
    """The admin has put the cache onto another disk."""
    link = root.parent / "link"
    link.symlink_to(root)
    check_owner(link)
    give(root, DAEMON)
    with as_user(DAEMON):
        check_owner(link)
    for _ in range(2):
        with pytest.raises(CacheError, match="belongs to user daemon"):
            check_owner(link)
        (root / "CACHEDIR.TAG").unlink(missing_ok=True)
