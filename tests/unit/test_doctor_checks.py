"""What doctor makes of facts."""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from wheelferry.disk.mounts import decode_mountinfo
from wheelferry.doctor.checks.index import IndexFacts, judge_indexes
from wheelferry.doctor.checks.mount import MountFacts, judge_mount
from wheelferry.doctor.checks.places import Places, Trial, judge_places
from wheelferry.doctor.checks.room import Room, judge_room
from wheelferry.doctor.checks.service import (
    DaemonFacts,
    Inotify,
    ServiceFacts,
    Unit,
    judge_service,
)
from wheelferry.doctor.checks.share import ShareFacts, judge_share
from wheelferry.doctor.checks.table import CHECKS
from wheelferry.doctor.checks.uv import Binary, UvFacts, judge_uv
from wheelferry.doctor.examine import conclude
from wheelferry.ops.finding import Finding, Severity
from wheelferry.store.upkeep import StoreSurvey

GIB = 1 << 30
ID = "0123456789abcdef0123456789abcdef"

PLACES = Places(
    user="ci",
    cache="/var/cache/uv",
    state="/var/cache/uv.wheelferry",
    workspace="/builds",
    is_there=True,
    fs_type="ext4",
    mount_point="/",
    workspace_point="/",
    link=Trial(source="/var/cache/uv", target="/builds"),
    refusal=None,
    archives=3,
    foreign=(),
    foreign_owner="",
    protects=True,
    room=Room(
        free_bytes=50 * GIB, size_bytes=99 * GIB, free_files=9**7, size_files=9**8
    ),
    move=Trial(source="/var/cache/uv.wheelferry", target="/var/cache/uv"),
    is_state_near=True,
    barrier="",
)

UV = UvFacts(
    paths=("/usr/bin",),
    binaries=(Binary(path="/usr/bin/uv", release=(0, 13, 9)),),
    versions=(),
    cache="/var/cache/uv",
    origin="",
    workspace="/builds",
    said="/var/cache/uv",
    said_there="/var/cache/uv",
    trouble="",
    link_mode=("", ""),
    no_cache=("", ""),
    unknown=(),
)

GROUP_STORE = (
    ("", 0o42775, 10, 20),
    ("objects", 0o42775, 10, 20),
    ("objects/00", 0o42775, 10, 20),
    ("objects/ff", 0o42775, 10, 20),
    ("catalog", 0o42775, 10, 20),
    ("usage", 0o43775, 10, 20),
    ("staging", 0o43775, 10, 20),
)

SURVEY = StoreSurvey(
    real_path="/mnt/wheels",
    answers_s=(0.0004, 0.0003, 0.0009, 0.0004, 0.0004),
    free_bytes=500 * GIB,
    size_bytes=999 * GIB,
    free_files=0,
    size_files=0,
    directories=GROUP_STORE,
    refused=(),
    written_s=1000.2,
    clock_s=(1000.0, 1000.4),
    trouble="",
)

SHARE = ShareFacts(
    store="/mnt/wheels",
    expected_id=ID,
    store_id=ID,
    trouble=None,
    is_silent=False,
    unmounted="",
    skipped_s=0,
    promotes=True,
    user="ci",
    groups=frozenset({20, 100}),
    owner_names=((10, "admin"),),
    group_names=((20, "runners"),),
    survey=SURVEY,
)

SERVICE = ServiceFacts(
    user="ci",
    inotify=Inotify(max_instances=128, max_watches=9000, instances=3, watches=40),
    is_booted=True,
    units=(
        Unit(
            name="wheelferry@ci.service",
            user="ci",
            active="active",
            sub="running",
            enabled="enabled",
            result="success",
        ),
    ),
    unit_trouble="",
    daemon=DaemonFacts(
        pid=7, version="1.0", store="/mnt/wheels", watching="inotify", degraded=""
    ),
    version="1.0",
    store="/mnt/wheels",
)

INDEX = IndexFacts(
    url="https://index.example/simple",
    origin="UV_DEFAULT_INDEX",
    override="",
    cache_control="max-age=600",
    trouble="",
)


def worse(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are not just "ok"."""
    return [f for f in findings if f.severity is not Severity.OK]


def one(findings: Iterable[Finding]) -> Finding:
    """Return the one finding that is not "ok"; it says what to do."""
    (found,) = worse(findings)
    return found


def names(findings: Sequence[Finding]) -> set[str]:
    """Return which checks were made."""
    return {finding.reference for finding in findings}


def options(text: str, super_options: str, fs_type: str = "nfs4") -> MountFacts:
    """Return a share that the kernel tells of in these words."""
    line = f"31 29 0:55 / /mnt/wheels {text} shared:330 - {fs_type} server:/w"
    (mount,) = decode_mountinfo(f"{line} {super_options}")
    return MountFacts(
        store="/mnt/wheels",
        point=mount.point,
        fs_type=mount.fs_type,
        source=mount.source,
        options=mount.options,
        is_cache=False,
    )


HARD = "rw,nosuid,nodev,noexec,relatime"
"""Options of a mount, and those of its filesystem, as Linux 6.1 writes them."""
NFS4 = (
    "rw,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600,"
    "retrans=2,sec=sys,clientaddr=192.0.2.7,local_lock=none,addr=192.0.2.2"
)


def test_healthy_runner_has_all_checks_and_nothing_to_say() -> None:
    """Facts as they should be give "ok" for each check of the table, and no other."""
    found = [
        *judge_places(PLACES),
        *judge_uv(UV),
        *judge_share(SHARE),
        *judge_mount(options(HARD, NFS4)),
        *judge_service(SERVICE),
        *judge_indexes([INDEX]),
    ]

    assert worse(found) == []
    assert names(found) == CHECKS.keys()
    assert conclude(found).left_out == ()


@pytest.mark.parametrize(
    ("super_options", "severity", "said"),
    [
        (NFS4.replace("rw,", "rw,sync,", 1), "warning", "sync"),
        (NFS4.replace("hard", "soft"), "warning", "soft (timeo=600, retrans=2)"),
        (NFS4.replace("hard", "softerr"), "warning", "softerr (timeo=600, retrans=2)"),
        (NFS4.replace("hard", "hard,nocto"), "warning", "nocto"),
        (
            NFS4.replace(",local", ",lookupcache=none,local"),
            "warning",
            "lookupcache=none",
        ),
        (NFS4.replace("rsize=1048576", "rsize=65536"), "warning", "rsize=65536"),
        (NFS4.replace("wsize=1048576", "wsize=524288"), "info", "wsize=524288"),
        (
            NFS4.replace("hard", "acregmin=0,acregmax=0,acdirmin=0,acdirmax=0,hard"),
            "warning",
            "acregmin=0, acregmax=0, acdirmin=0, acdirmax=0",
        ),
        (NFS4.replace("hard", "acdirmin=1,hard"), "info", "acdirmin=1"),
        (
            NFS4.replace("rw,", "rw,sync,", 1).replace(
                "hard", "acregmin=0,acregmax=0,acdirmin=0,acdirmax=0,hard,noac"
            ),
            "warning",
            "noac",
        ),
    ],
)
def test_option_that_hurts_is_named_once(
    super_options: str, severity: str, said: str
) -> None:
    """Each with what it costs and what to type; noac alone where it brings others."""
    found = one(judge_mount(options(HARD, super_options)))

    assert (found.severity.value, found.subject) == (severity, "/mnt/wheels")
    assert found.message.startswith(said)
    assert found.meaning
    assert "/etc/fstab" in found.hint


@pytest.mark.parametrize(
    "super_options",
    [
        NFS4.replace("vers=4.2", "vers=4.1"),
        NFS4.replace("vers=4.2", "vers=3").replace("hard", "hard,nolock"),
        NFS4.replace(",local", ",lookupcache=pos,local"),
        NFS4.replace("proto=tcp", "proto=tcp,nconnect=4"),
        NFS4.replace("hard", "acregmin=10,acdirmax=300,hard"),
    ],
)
def test_option_that_costs_nothing_is_not_named(super_options: str) -> None:
    """Other versions, nolock, nconnect, longer times: no reason to call anybody."""
    assert worse(judge_mount(options(HARD, super_options))) == []


@pytest.mark.parametrize(
    ("facts", "severity", "said"),
    [
        (
            options("rw,relatime", NFS4),
            "info",
            "not mounted with nodev, noexec, nosuid",
        ),
        (options(HARD, "rw", "cifs"), "warning", "cifs, which was not tried"),
        (options(HARD, "rw", "autofs"), "info", "autofs"),
        (options(HARD, "rw", "xfs"), "info", "a filesystem of this machine: xfs"),
        (
            replace(options(HARD, "rw"), fs_type="", point=""),
            "info",
            "could not be told",
        ),
    ],
)
def test_mount_is_judged_by_its_type(
    facts: MountFacts, severity: str, said: str
) -> None:
    """A store on no NFS is no error, but has to be meant."""
    found = one(judge_mount(facts))

    assert found.severity.value == severity
    assert said in found.message


REFUSED = replace(
    SHARE,
    survey=SURVEY._replace(refused=("catalog", "staging"), written_s=0, trouble="x: y"),
)
PLAIN = tuple((path, 0o40755, 10, 20) for path, *_ in GROUP_STORE)
CROOKED = tuple(
    (path, 0o40775 if path == "catalog" else mode, uid, gid)
    for path, mode, uid, gid in GROUP_STORE
)


@pytest.mark.parametrize(
    ("facts", "reference", "severity", "said", "typed"),
    [
        (
            replace(SHARE, store="", survey=None),
            "store",
            "error",
            "no store",
            "wheelferry init",
        ),
        (
            replace(
                SHARE, survey=None, trouble=("no wheelferry.json", "mount the share")
            ),
            "store",
            "error",
            "no wheelferry.json",
            "mount the share",
        ),
        (
            replace(SHARE, survey=None, trouble=("away", ""), unmounted="/mnt/wheels"),
            "store",
            "error",
            "away",
            "sudo mount /mnt/wheels",
        ),
        (
            replace(SHARE, survey=None, trouble=("no answer", ""), is_silent=True),
            "store",
            "error",
            "no answer",
            "nfsstat -m",
        ),
        (replace(SHARE, skipped_s=40), "store", "info", "40 s", "wheelferry status"),
        (replace(SHARE, expected_id=""), "store", "warning", "no id", f'id = "{ID}"'),
        (
            replace(
                SHARE, survey=SURVEY._replace(answers_s=(0.05, 0.03, 0.02, 0.5, 0.04))
            ),
            "round-trip",
            "warning",
            "40.0 ms, at most 500.0 ms",
            "ping",
        ),
        (
            replace(SHARE, survey=SURVEY._replace(free_bytes=0)),
            "store-space",
            "error",
            "no room is left",
            "quota",
        ),
        (
            replace(SHARE, survey=SURVEY._replace(written_s=1090.4)),
            "store-clock",
            "warning",
            "90 s ahead of",
            "timedatectl",
        ),
        (
            replace(SHARE, survey=SURVEY._replace(written_s=990.0)),
            "store-clock",
            "info",
            "10 s behind",
            "timedatectl",
        ),
        (
            replace(REFUSED, groups=frozenset({100})),
            "store-writable",
            "error",
            "drwxrwsr-x admin runners",
            "usermod -aG runners ci",
        ),
        (
            REFUSED,
            "store-writable",
            "error",
            "drwxrwsr-x",
            "wheelferry init /mnt/wheels --group runners` as admin",
        ),
        (
            replace(
                SHARE,
                survey=SURVEY._replace(refused=("catalog",), directories=PLAIN),
            ),
            "store-writable",
            "error",
            "drwxr-xr-x",
            "only admin may write",
        ),
        (
            replace(
                SHARE,
                survey=SURVEY._replace(trouble="Read-only file system", written_s=0),
            ),
            "store-writable",
            "error",
            "Read-only file system",
            "rw",
        ),
        (
            replace(
                SHARE,
                survey=SURVEY._replace(
                    trouble="/mnt/wheels/staging/ci-1: Permission denied",
                    directories=PLAIN,
                ),
            ),
            "store-writable",
            "error",
            "/mnt/wheels/staging/ci-1: Permission denied",
            "`ls -ld /mnt/wheels/staging/ci-1` says who; remove it, and give each user",
        ),
        (
            replace(REFUSED, promotes=False),
            "store-writable",
            "info",
            "cannot write",
            "nothing",
        ),
        (
            replace(SHARE, survey=SURVEY._replace(directories=CROOKED)),
            "store-writable",
            "warning",
            "drwxrwxr-x",
            "--group runners` as admin",
        ),
    ],
)
def test_share_that_is_not_fit(
    facts: ShareFacts, reference: str, severity: str, said: str, typed: str
) -> None:
    """Each trouble of a share is one finding, with what to type."""
    found = one(judge_share(facts))

    assert (found.reference, found.severity.value) == (reference, severity)
    assert said in found.message
    assert typed in found.hint


def test_clocks_that_differ_by_what_writing_took_are_equal() -> None:
    """Nobody can tell a difference that is smaller than the time of the trial."""
    slow = SURVEY._replace(clock_s=(1000.0, 1030.0), written_s=1029.0)

    assert worse(judge_share(replace(SHARE, survey=slow))) == []


def test_store_that_cannot_be_opened_leaves_checks_out() -> None:
    """What could not be looked at is listed, and not called well."""
    facts = replace(SHARE, survey=None, trouble=("away", ""))
    found = conclude(judge_share(facts))

    assert {"round-trip", "store-space", "store-writable"} <= set(found.left_out)
    assert found.worst is Severity.ERROR


@pytest.mark.parametrize(
    ("places", "reference", "severity", "said", "typed"),
    [
        (
            replace(
                PLACES,
                link=replace(PLACES.link, number=errno.EXDEV),
                workspace_point="/builds",
            ),
            "hardlinks",
            "warning",
            "two mounts, / and /builds",
            "export UV_CACHE_DIR=/builds/cache/ci/uv",
        ),
        (
            replace(
                PLACES, link=replace(PLACES.link, number=errno.EPERM, owner="root")
            ),
            "hardlinks",
            "warning",
            "belongs to root, and fs.protected_hardlinks = 1",
            "sudo chown -R ci /var/cache/uv",
        ),
        (
            replace(
                PLACES,
                link=replace(PLACES.link, number=errno.EPERM, words="not permitted"),
            ),
            "hardlinks",
            "warning",
            "not permitted",
            "ln /var/cache/uv/CACHEDIR.TAG",
        ),
        (
            replace(
                PLACES,
                link=replace(PLACES.link, number=errno.EACCES, failed_at="/builds"),
            ),
            "hardlinks",
            "warning",
            "could not be tried: /builds",
            "--workspace DIR",
        ),
        (
            replace(
                PLACES,
                link=replace(PLACES.link, number=errno.EACCES, failed_at="/var"),
            ),
            "hardlinks",
            "warning",
            "could not be tried: /var",
            "once the cache is there",
        ),
        (
            replace(PLACES, move=None, barrier="/var"),
            "state",
            "error",
            "it or the cache cannot be made: ci may not write to /var",
            "`sudo install -d -o ci /var/cache`",
        ),
        (
            replace(PLACES, move=None, barrier="/var/cache"),
            "state",
            "error",
            "may not write to /var/cache",
            "`sudo install -d -o ci /var/cache/ci`, and set cache.path to /var/cache/ci/uv",
        ),
        (
            replace(PLACES, fs_type="nfs4", mount_point="/home"),
            "cache-filesystem",
            "error",
            "on nfs4 (/home)",
            "export UV_CACHE_DIR=/var/cache/ci/uv",
        ),
        (
            replace(PLACES, fs_type="tmpfs"),
            "cache-filesystem",
            "info",
            "in memory",
            "volume",
        ),
        (
            replace(PLACES, refusal=("it belongs to user x", "sudo -u x")),
            "cache-owner",
            "error",
            "user x",
            "sudo -u x",
        ),
        (
            replace(PLACES, foreign=("abc", "def"), foreign_owner="root"),
            "cache-owner",
            "warning",
            "2 of 3 archives do not belong to ci, such as archive-v0/abc of root",
            "sudo chown -R ci /var/cache/uv",
        ),
        (
            replace(PLACES, is_there=False, move=None),
            "cache-owner",
            "info",
            "no cache yet",
            "uv cache dir",
        ),
        (
            replace(PLACES, room=replace(PLACES.room, free_bytes=GIB // 2)),
            "cache-space",
            "warning",
            "512.0 MiB free",
            "uv cache prune",
        ),
        (
            replace(PLACES, move=Trial(source="a", target="b", number=errno.EXDEV)),
            "state",
            "error",
            "not on the mount of the cache",
            "set cache.state",
        ),
        (
            replace(PLACES, is_state_near=False, move=None),
            "state",
            "error",
            "not on the mount of the cache",
            "set cache.state",
        ),
        (
            replace(
                PLACES,
                move=Trial(source="a", target="b", number=errno.EACCES, words="denied"),
            ),
            "state",
            "error",
            "b: denied",
            "chown",
        ),
    ],
)
def test_place_that_is_of_no_use(
    places: Places, reference: str, severity: str, said: str, typed: str
) -> None:
    """Each trouble of cache, state and workspace is one finding, with what to type."""
    found = one(judge_places(places))

    assert (found.reference, found.severity.value) == (reference, severity)
    assert said in found.message
    assert typed in found.hint


@pytest.mark.parametrize(
    ("free_bytes", "size_bytes", "free_files", "size_files", "severity"),
    [
        (2 * GIB, 100 * GIB, 1 << 20, 1 << 21, "ok"),
        (GIB - 1, 100 * GIB, 1 << 20, 1 << 21, "warning"),
        (GIB // 4, 2 * GIB, 1 << 20, 1 << 21, "ok"),
        (2 * GIB, 100 * GIB, 9_999, 1 << 21, "warning"),
        (2 * GIB, 100 * GIB, 0, 1 << 21, "error"),
        (0, 100 * GIB, 1 << 20, 1 << 21, "error"),
        (2 * GIB, 100 * GIB, 0, 0, "ok"),
    ],
)
def test_room_is_judged_by_bytes_and_files(
    free_bytes: int, size_bytes: int, free_files: int, size_files: int, severity: str
) -> None:
    """A small disk may have little; one that counts no files cannot lack them."""
    room = Room(
        free_bytes=free_bytes,
        size_bytes=size_bytes,
        free_files=free_files,
        size_files=size_files,
    )
    found = judge_room("cache-space", "/x", room, meaning="m", hint="h")

    assert found.severity.value == severity
    assert bool(found.hint) == (severity != "ok")


@pytest.mark.parametrize(
    ("facts", "reference", "severity", "said"),
    [
        (
            replace(UV, link_mode=("copy", "UV_LINK_MODE")),
            "link-mode",
            "warning",
            "copy",
        ),
        (replace(UV, link_mode=("symlink", "f")), "link-mode", "warning", "symlinks"),
        (
            replace(UV, no_cache=("true", "UV_NO_CACHE")),
            "no-cache",
            "error",
            "no cache",
        ),
        (
            replace(UV, binaries=(Binary(path="/u/uv", release=(0, 5, 13)),)),
            "uv",
            "error",
            "older than 0.5.14",
        ),
        (
            replace(UV, binaries=(Binary(path="/u/uv", release=(99, 0)),)),
            "uv",
            "info",
            "newer than the newest",
        ),
        (
            replace(UV, binaries=(*UV.binaries, Binary(path="/u/uv", trouble="dead"))),
            "uv",
            "warning",
            "dead",
        ),
        (
            replace(
                UV, binaries=(*UV.binaries, Binary(path="/u/uv", release=(0, 9, 30)))
            ),
            "uv",
            "info",
            "several versions: 0.9.30, 0.13.9; a job that just says `uv` runs /usr/bin/uv",
        ),
        (replace(UV, said="/else", said_there="/else"), "cache-dir", "error", "/else"),
        (
            replace(UV, said_there="/p"),
            "cache-dir",
            "warning",
            "in this project uv uses",
        ),
        (replace(UV, trouble="bad toml"), "cache-dir", "error", "bad toml"),
        (replace(UV, unknown=("wheels-v999",)), "cache-formats", "error", "not know"),
        (replace(UV, unknown=("wheels-v2",)), "cache-formats", "warning", "not know"),
    ],
)
def test_uv_that_is_of_no_use(
    facts: UvFacts, reference: str, severity: str, said: str
) -> None:
    """Each trouble of uv is one finding, with what to do."""
    found = one(judge_uv(facts))

    assert (found.reference, found.severity.value) == (reference, severity)
    assert said in found.message
    assert found.hint


def test_runner_without_uv_is_told_to_name_versions() -> None:
    """A warning; none where `uv.versions` says for which to pull."""
    bare = replace(UV, binaries=(), said="", said_there="")
    found = {f.reference: f.severity.value for f in worse(judge_uv(bare))}
    assert found == {"uv": "warning", "cache-dir": "info"}

    named = replace(bare, versions=("0.9.30",))
    assert {f.reference for f in worse(judge_uv(named))} == {"cache-dir"}


UNIT = SERVICE.units[0]
DAEMON = SERVICE.daemon
assert DAEMON is not None


@pytest.mark.parametrize(
    ("facts", "reference", "severity", "said"),
    [
        (
            replace(SERVICE, units=(replace(UNIT, active="failed", result="timeout"),)),
            "service",
            "error",
            "timeout",
        ),
        (
            replace(SERVICE, units=(replace(UNIT, sub="auto-restart"),)),
            "service",
            "error",
            "auto-restart",
        ),
        (
            replace(SERVICE, units=(replace(UNIT, active="inactive", sub="dead"),)),
            "service",
            "warning",
            "inactive (dead)",
        ),
        (
            replace(SERVICE, units=(replace(UNIT, enabled="disabled"),)),
            "service",
            "warning",
            "does not start at boot",
        ),
        (replace(SERVICE, units=()), "service", "info", "no service is installed"),
        (replace(SERVICE, unit_trouble="bus"), "service", "warning", "bus"),
        (
            replace(SERVICE, daemon=replace(DAEMON, degraded="no share")),
            "daemon",
            "warning",
            "degraded: no share",
        ),
        (
            replace(SERVICE, daemon=replace(DAEMON, watching="polling")),
            "daemon",
            "warning",
            "polls",
        ),
        (
            replace(SERVICE, daemon=replace(DAEMON, version="0.9")),
            "daemon",
            "warning",
            "0.9",
        ),
        (
            replace(SERVICE, daemon=replace(DAEMON, store="/other")),
            "daemon",
            "warning",
            "/other",
        ),
    ],
)
def test_service_that_does_not_work(
    facts: ServiceFacts, reference: str, severity: str, said: str
) -> None:
    """Each trouble of unit and daemon is one finding, with what to do."""
    (found,) = [f for f in worse(judge_service(facts)) if f.reference == reference]

    assert found.severity.value == severity
    assert said in found.message
    assert found.hint


def test_machine_without_systemd_is_no_trouble() -> None:
    """Nor is a cache without a daemon: hooks do as well."""
    found = worse(judge_service(replace(SERVICE, is_booted=False, daemon=None)))

    assert [(f.reference, f.severity.value) for f in found] == [("service", "info")]


@pytest.mark.parametrize(
    ("instances", "watches", "limit"),
    [(127, 0, None), (128, 0, "max_user_instances"), (0, 8998, "max_user_watches")],
)
def test_inotify_is_compared_with_what_a_daemon_needs(
    instances: int, watches: int, limit: str | None
) -> None:
    """One instance and three watches more than are in use, if none runs yet."""
    used = replace(SERVICE.inotify, instances=instances, watches=watches)
    found = worse(judge_service(replace(SERVICE, inotify=used, daemon=None)))

    assert [f.subject for f in found] == ([f"fs.inotify.{limit}"] if limit else [])
    assert all(f"echo fs.inotify.{limit}=" in f.hint for f in found)
    assert worse(judge_service(replace(SERVICE, inotify=used))) == []


@pytest.mark.parametrize(
    ("cache_control", "override", "severity"),
    [
        ("max-age=600", "", "ok"),
        ("", "", "ok"),
        ("private, no-cache", "", "ok"),
        ("no-store", "", "error"),
        ("private, No-Store, max-age=0", "", "error"),
        ("no-store", "max-age=3600", "ok"),
        ("no-store", "no-store", "error"),
        (None, "", "warning"),
    ],
)
def test_index_is_judged_by_no_store(
    cache_control: str | None, override: str, severity: str
) -> None:
    """Nothing else keeps uv from caching, and `cache-control` of uv.toml prevails."""
    facts = replace(
        INDEX, cache_control=cache_control, override=override, trouble="gone"
    )
    (found,) = judge_indexes([facts])

    assert found.severity.value == severity


def test_findings_come_worst_first() -> None:
    """And within one severity in the order of the table."""
    found = conclude(
        [
            *judge_share(replace(SHARE, expected_id="", skipped_s=9)),
            *judge_uv(replace(UV, no_cache=("1", "x"), link_mode=("copy", "x"))),
        ]
    )

    assert [(f.severity.value, f.reference) for f in found.findings][:4] == [
        ("error", "no-cache"),
        ("warning", "link-mode"),
        ("warning", "store"),
        ("info", "store"),
    ]
