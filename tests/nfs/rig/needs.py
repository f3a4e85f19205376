"""What the guest is made of, and where it comes from."""

import shutil
from pathlib import Path

PACKAGES = (
    "user-mode-linux",
    "nfs-kernel-server",
    "nfs-common",
    "rpcbind",
    "kmod",
    "systemd",
    "iproute2",
    "e2fsprogs",
    "faketime",
)
_COMMANDS = {
    "linux.uml": "user-mode-linux",
    "rpc.nfsd": "nfs-kernel-server",
    "mount.nfs": "nfs-common",
    "rpcbind": "rpcbind",
    "modprobe": "kmod",
    "systemctl": "systemd",
    "tc": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "faketime": "faketime",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOW_TO = f"no tests on real NFS and under real systemd; run: apt-get install -y {' '.join(PACKAGES)}"


def find_missing() -> list[str]:
    """Return the Debian packages that are missing; none on a machine that can do it."""
    missing = [p for c, p in _COMMANDS.items() if shutil.which(c, path=PATH) is None]
    if not missing and not any(Path("/usr/lib/uml/modules").glob("*/kernel/fs/nfsd")):
        missing.append("user-mode-linux")
    return missing
