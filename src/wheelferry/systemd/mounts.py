"""Where something is mounted, or is to be, as the kernel and fstab tell it.

Pure.  The mounts themselves are not looked at: a share may not answer.
"""

from wheelferry.disk import mounts


def decode_mountinfo(text: str) -> frozenset[str]:
    """Return the mount points in the text of `/proc/self/mountinfo`."""
    return frozenset(mount.point for mount in mounts.decode_mountinfo(text))


def decode_fstab(text: str) -> frozenset[str]:
    """Return the mount points in the text of `/etc/fstab`."""
    kept = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    points = (fields[1] for line in kept if len(fields := line.split()) > 1)
    return frozenset(
        mounts.unescape(point).rstrip("/") or "/"
        for point in points
        if point.startswith("/")
    )
