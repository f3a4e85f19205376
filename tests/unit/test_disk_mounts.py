"""The kernel's table of mounts."""

from wheelferry.disk.mounts import decode_mountinfo, find_mount

MOUNTINFO = r"""
23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
29 23 0:26 / /mnt/wheels rw,relatime shared:9 - autofs systemd-1 rw,fd=42,direct
31 29 0:55 / /mnt/wheels rw,nosuid,nodev shared:330 - nfs4 server:/w ro,vers=4.2,hard
40 23 254:2 /a /mnt/my\040disk rw master:1 - xfs /dev/my\040disk rw,attr2
41 23 254:2 /a /mnt/wheels2 rw - xfs /dev/b rw
nonsense
50 23 0:1
"""


def test_mount_has_options_of_both_kinds() -> None:
    """Those of the mount and of its filesystem are one; values follow a `=`."""
    mount = find_mount(decode_mountinfo(MOUNTINFO), "/mnt/wheels/store")

    assert mount is not None
    assert (mount.point, mount.fs_type, mount.source) == (
        "/mnt/wheels",
        "nfs4",
        "server:/w",
    )
    assert mount.options["vers"] == "4.2"
    assert mount.options.keys() >= {"nosuid", "nodev", "hard", "ro"}


def test_last_mount_on_a_point_counts() -> None:
    """What autofs has mounted hides autofs; and a name that only begins so is another."""
    mounts = decode_mountinfo(MOUNTINFO)
    paths = ["/mnt/wheels", "/mnt/wheels2/x", "/mnt/wheelsx", "/mnt/my disk/x", "/"]
    found = [find_mount(mounts, path) for path in paths]

    assert [m and m.fs_type for m in found] == ["nfs4", "xfs", "ext4", "xfs", "ext4"]
    assert find_mount((), "/x") is None
