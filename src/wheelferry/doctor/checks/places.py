"""The cache, its state directory and the workspace: are they where they can be of use?

Pure.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wheelferry.doctor.checks.room import Room, judge_room
from wheelferry.doctor.checks.verdict import error, info, ok, warning
from wheelferry.ops.finding import Finding

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs"}
    | {"glusterfs", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.ceph"}
)
"""Types of filesystems that are on another machine."""

_VOLATILE: Final = {
    "tmpfs": "in memory: it is empty after each boot",
    "ramfs": "in memory: it is empty after each boot",
    "overlay": "in a container's own layer: it is gone with the container",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Something that was tried with a file.

    Attributes:
        source, target: Directories between which it was.
        number: errno of the failure, 0 if it worked.
        failed_at: The directory that refused a file of ours, before the trial itself; ""
            if it came to that.
        owner: Of the file, if it was one that was there; else "".
    """

    source: str
    target: str
    number: int = 0
    words: str = ""
    failed_at: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What was found of them.

    Attributes:
        user: Who looked.
        is_there: Whether there is a cache; else the nearest directory was looked at.
        fs_type: Of the cache's filesystem; "" if that could not be told.
        mount_point: Of the same.
        workspace_point: Of the workspace's filesystem.
        link: A hardlink from the cache into the workspace.
        refusal: Why this user is not the cache's owner, and what to do; or None.
        archives: How many there are in the cache.
        foreign: Those of another user.
        foreign_owner: Of one of them.
        protects: fs.protected_hardlinks; None if there is no such thing.
        room: On the cache's filesystem.
        move: A rename from the state directory into the cache; None if one of the two is
            missing.
        is_state_near: Whether both are on one device, as far as they are there.
        barrier: The directory in which the state directory or the cache would have to be
            made, and that this user may not write to; "" if there is none.
    """

    user: str
    cache: str
    state: str
    workspace: str
    is_there: bool
    fs_type: str
    mount_point: str
    workspace_point: str
    link: Trial
    refusal: tuple[str, str] | None
    archives: int
    foreign: tuple[str, ...]
    foreign_owner: str
    protects: bool | None
    room: Room
    move: Trial | None
    is_state_near: bool
    barrier: str


def judge_places(places: Places) -> Iterator[Finding]:
    """Yield the findings on them."""
    yield _judge_link(places)
    yield _judge_filesystem(places)
    yield _judge_owner(places)
    yield judge_room(
        "cache-space",
        places.cache,
        places.room,
        meaning="uv cannot install, and pull restores nothing",
        hint="`uv cache prune` as the user of the jobs removes what no uv uses any more;"
        f" `du -xsh {places.mount_point or places.cache}` shows what else takes room",
    )
    yield _judge_state(places)


def _judge_link(places: Places) -> Finding:
    trial, check = places.link, "hardlinks"
    slower = "uv copies each file of each environment: slower, and twice the disk"
    if trial.failed_at:
        return warning(
            check,
            places.workspace,
            f"could not be tried: {trial.failed_at}: {trial.words}",
            hint="run this as the user of the jobs, in a checkout, or with"
            " --workspace DIR of one"
            if trial.failed_at == trial.target
            else "run this as the user of the jobs, and again once the cache is there",
        )
    what = f"a file of {trial.source} cannot be hardlinked into {trial.target}"
    if not trial.number:
        return ok(
            check,
            places.workspace,
            f"files of {trial.source} can be hardlinked into it",
        )
    if trial.number == errno.EXDEV:
        return warning(
            check,
            places.workspace,
            f"{what}: they are on two mounts, {places.mount_point} and"
            f" {places.workspace_point}",
            meaning=f"{slower} (two bind mounts or volumes of one disk count as two)",
            hint="put both on one mount: `export UV_CACHE_DIR="
            f"{places.workspace_point.rstrip('/') or '/var'}/cache/ci/uv` for the jobs,"
            " and the same as cache.path in /etc/wheelferry/config.toml; in containers,"
            " mount one volume that holds cache and checkouts",
        )
    if trial.number == errno.EPERM and trial.owner not in ("", places.user):
        return warning(
            check,
            places.workspace,
            f"{what}: it belongs to {trial.owner}, and fs.protected_hardlinks ="
            f" {'unknown' if places.protects is None else int(places.protects)}",
            meaning=slower,
            hint=f"`sudo chown -R {places.user} {places.cache}`, or run this as"
            f" {trial.owner} if that is the user of the jobs",
        )
    return warning(
        check,
        places.workspace,
        f"{what}: {trial.words}",
        meaning=slower,
        hint=f"`ln {places.cache}/CACHEDIR.TAG {places.workspace}/x` should work as the"
        " user of the jobs; a filesystem without hardlinks holds no useful cache",
    )


def _judge_filesystem(places: Places) -> Finding:
    check, kind = "cache-filesystem", places.fs_type
    if kind in NETWORK:
        return error(
            check,
            places.cache,
            f"it is on {kind} ({places.mount_point})",
            meaning="jobs on several machines wait for each other's locks, hardlinks into"
            " checkouts are impossible, and each file is a round trip",
            hint="give each runner a cache on its own disk: `export UV_CACHE_DIR="
            "/var/cache/ci/uv` for the jobs, and the same as cache.path in"
            " /etc/wheelferry/config.toml; the share is for the store",
        )
    if kind in _VOLATILE:
        return info(
            check,
            places.cache,
            f"it is {_VOLATILE[kind]}",
            meaning="pull fills it anew, which takes longer than to keep it",
            hint="a volume or a directory on the runner's disk stays, if that is wanted",
        )
    return ok(check, places.cache, f"on {kind or 'an unknown filesystem'}")


def _judge_owner(places: Places) -> Finding:
    check = "cache-owner"
    if places.refusal is not None:
        message, hint = places.refusal
        return error(
            check,
            places.cache,
            message,
            meaning="pull and promote refuse it: what another user puts there is of no"
            " use to the jobs",
            hint=hint,
        )
    if places.foreign:
        return warning(
            check,
            places.cache,
            f"{len(places.foreign)} of {places.archives} archives do not belong to"
            f" {places.user}, such as archive-v0/{places.foreign[0]} of"
            f" {places.foreign_owner}",
            meaning="uv copies them where the kernel protects hardlinks"
            f" (fs.protected_hardlinks = {int(places.protects or False)}), and cannot"
            " remove them",
            hint=f"`sudo chown -R {places.user} {places.cache}`; was uv or wheelferry run"
            " with sudo?",
        )
    if not places.is_there:
        return info(
            check,
            places.cache,
            "there is no cache yet",
            meaning="the first job or the first pull makes it",
            hint="if jobs ran here already, they use another one: `uv cache dir` in a"
            " job says which; set cache.path to it",
        )
    return ok(check, places.cache, f"{places.archives} archives, all of {places.user}")


def _judge_state(places: Places) -> Finding:
    check, move = "state", places.move
    is_apart = not places.is_state_near if move is None else move.number == errno.EXDEV
    if is_apart:
        return error(
            check,
            places.state,
            "it is not on the mount of the cache",
            meaning="pull stages archives there and renames them into the cache: it"
            " restores nothing",
            hint="set cache.state in /etc/wheelferry/config.toml to a directory beside the"
            " cache, on its filesystem; of a cache that is a mount of its own, take a"
            " subdirectory as UV_CACHE_DIR",
        )
    if places.barrier:
        return error(
            check,
            places.state,
            f"it or the cache cannot be made: {places.user} may not write to"
            f" {places.barrier}",
            meaning="pull and promote do nothing",
            hint=_give_directory(places),
        )
    if move is None:
        return ok(check, places.state, "it will be made by the first pull or promotion")
    if move.failed_at or move.number:
        return error(
            check,
            places.state,
            f"no file can be moved from there into the cache:"
            f" {move.failed_at or move.target}: {move.words}",
            meaning="pull restores nothing",
            hint=f"run this as the user of the jobs; `sudo chown -R USER {places.state}"
            f" {places.cache}` gives both to that user",
        )
    return ok(check, places.state, "on the mount of the cache, and writable")


def _give_directory(places: Places) -> str:
    parent = places.cache.rpartition("/")[0] or "/"
    if parent == places.barrier:  # of others too: not to be given away
        own = f"{parent.rstrip('/')}/{places.user}"
        return (
            f"`sudo install -d -o {places.user} {own}`, and set cache.path to {own}/uv,"
            " for uv too"
        )
    return f"`sudo install -d -o {places.user} {parent}` makes a place for both"
