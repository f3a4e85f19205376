"""What is opened for a service, and where things are mounted."""

import pytest

from wheelferry.errors import UnitsError
from wheelferry.systemd.access import Access, Needs, is_below, plan_access
from wheelferry.systemd.mounts import decode_fstab, decode_mountinfo

STORE = "/mnt/wheels"


def plan(
    cache: str,
    state: str | None = None,
    *,
    store: str = STORE,
    read: tuple[str, ...] = ("/usr/bin/python3",),
    points: tuple[str, ...] = (),
    socket: str = "",
    textfile: str = "",
) -> Access:
    needs = Needs(
        cache,
        state or f"{cache}.wheelferry",
        store,
        read,
        socket,
        textfile=textfile,
    )
    return plan_access(needs, name="ci", mount_points=points)


@pytest.mark.parametrize(
    ("cache", "state", "own"),
    [
        ("/data/ci/uv", None, "/data/ci"),
        ("/home/ci/.cache/uv", None, "/home/ci/.cache"),
        ("/data/ci/caches/uv", "/data/ci/state", "/data/ci"),
        ("/data/uv", "/data/uv.d/state", "/data"),
        ("/srv/a/uv", "/srv/b/c/state", "/srv"),
    ],
)
def test_cache_and_state_are_below_one_writable_directory(
    cache: str, state: str | None, own: str
) -> None:
    """The nearest directory that holds both is opened, never the cache itself."""
    access = plan(cache, state)

    assert (access.own, access.is_own_listed) == (own, True)


@pytest.mark.parametrize(
    ("cache", "state"), [("/uv", None), ("/data/uv", "/srv/state"), ("/uv", "/data/s")]
)
def test_root_is_not_opened(cache: str, state: str | None) -> None:
    """Cache and state that have only `/` in common are refused, with a way out."""
    with pytest.raises(UnitsError, match="no directory in common") as caught:
        plan(cache, state)

    assert f"{cache}/uv" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("cache", "is_listed"),
    [
        ("/var/lib/wheelferry/ci/uv", False),
        ("/var/lib/wheelferry/ci/caches/uv", False),
        ("/var/lib/wheelferry/cid/uv", True),
        ("/var/lib/wheelferry/uv", True),
    ],
)
def test_directory_that_systemd_makes_is_not_listed(
    cache: str, is_listed: bool
) -> None:
    """StateDirectory= of the instance is writable anyway, and may not exist yet."""
    assert plan(cache).is_own_listed is is_listed


@pytest.mark.parametrize(
    ("store", "points", "share"),
    [
        ("/mnt/wheels", ("/", "/mnt/wheels"), "/mnt"),
        ("/mnt/share/ci/wheels", ("/", "/mnt/share"), "/mnt"),
        ("/mnt/share/ci/wheels", ("/mnt/share", "/mnt/share/ci"), "/mnt/share"),
        ("/mnt/wheels", ("/", "/mnt/whee", "/mnt/wheels/a"), "/mnt"),
        ("/wheels", ("/", "/wheels"), "/wheels"),
        ("/wheels", ("/",), "/wheels"),
        ("/srv/wheels", ("/", "/srv"), "/srv"),
        ("/net/filer/vol/wheels", ("/net",), "/net"),
    ],
)
def test_directory_above_the_mount_of_the_store_is_opened(
    store: str, points: tuple[str, ...], share: str
) -> None:
    """A share is listed by the directory it is mounted in; by itself only if that is `/`."""
    assert plan("/data/ci/uv", store=store, points=points).share == share


def test_what_is_needed_of_homes_and_temporary_files_is_found() -> None:
    """Each path that the sandbox would hide is named once, and no other."""
    access = plan(
        "/home/ci/.cache/uv",
        store="/tmp/store",
        read=("/root/venv", "/root/venv", "/opt/uv", "/homes/x", "/var/tmp/python"),
    )

    assert access.in_home == (
        "/home/ci/.cache/uv",
        "/home/ci/.cache/uv.wheelferry",
        "/root/venv",
    )
    assert access.in_temporary == ("/tmp/store", "/var/tmp/python")
    assert plan("/data/ci/uv")[3:] == ((), (), "", False, None, "")


def test_directory_of_the_textfile_is_opened() -> None:
    """The file is replaced by rename, so that it is not enough to open the file."""
    access = plan("/data/ci/uv", textfile="/home/prom/text/wf.prom")

    assert access.textfiles == "/home/prom/text"
    assert access.in_home == ("/home/prom/text/wf.prom",)


@pytest.mark.parametrize(
    ("socket", "directory", "is_listed"),
    [
        ("/run/wheelferry/ci/socket", "/run/wheelferry/ci", False),
        ("/run/wheelferry/other/socket", "/run/wheelferry/other", True),
        ("/run/wheelferry/socket", "/run/wheelferry", True),
        ("/srv/ci/run/socket", "/srv/ci/run", True),
    ],
)
def test_directory_of_the_socket_is_opened(
    socket: str, directory: str, is_listed: bool
) -> None:
    """Unless it is the one that systemd makes for the instance."""
    access = plan("/data/ci/uv", socket=socket)

    assert (access.socket, access.is_socket_listed) == (directory, is_listed)


def test_below_means_whole_names() -> None:
    """`/data/ci` is not below `/data/c`."""
    assert is_below("/data/c", "/data/c")
    assert is_below("/data/c/x", "/data/c/")
    assert is_below("/x", "/")
    assert not is_below("/data/ci", "/data/c")
    assert not is_below("/data", "/data/c")


def test_mount_points_are_decoded() -> None:
    """Blanks and comments, escapes and swap: each is read as the kernel and mount(8) do."""
    mountinfo = (
        "24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "90 24 0:50 / /mnt/my\\040wheels rw - nfs4 fileserver:/wheels rw\n"
    )
    fstab = (
        "# /dev/vdz /old ext4 defaults 0 0\n\n"
        "  fileserver:/wheels\t/mnt/wheels/  nfs4  hard,_netdev 0 0\n"
        "/dev/vdb none swap sw 0 0\n"
        "broken\n"
    )

    assert decode_mountinfo(mountinfo) == {"/", "/mnt/my wheels"}
    assert decode_fstab(fstab) == {"/mnt/wheels"}
