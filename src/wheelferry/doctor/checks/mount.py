"""How the share is mounted, and which options hurt.

Pure.  What is said of an option was counted on real mounts (`docs/benchmarks.md#rpcs`,
`docs/operations.md#mount`), or is in nfs(5), and then the text says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wheelferry.doctor.checks.places import NETWORK
from wheelferry.doctor.checks.verdict import info, ok, spell_bytes, warning
from wheelferry.ops.finding import Finding

_NFS: Final = frozenset({"nfs", "nfs4"})
_FULL_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 256 << 10
_HARDENING: Final = ("nodev", "noexec", "nosuid")
_DEFAULT_TIMES: Final = {"acregmin": 3, "acregmax": 60, "acdirmin": 30, "acdirmax": 60}
"""In seconds, as nfs(5) has them; the kernel lists those that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountFacts:
    """The mount that the store is on.

    Attributes:
        store: The store's path.
        point, fs_type, source: Of the mount; "" if it could not be told.
        options: As the kernel has them.
        is_cache: Whether the cache is on the same mount.
    """

    store: str
    point: str
    fs_type: str
    source: str
    options: Mapping[str, str]
    is_cache: bool


def judge_mount(facts: MountFacts) -> Iterator[Finding]:
    """Yield the findings on it."""
    check, where = "mount", facts.point
    if facts.fs_type in _NFS:
        found = [*_judge_options(facts)]
        yield from found
        if not found:
            version = facts.options.get("vers", "")
            yield ok(check, where, f"{facts.fs_type} {version}, no option that hurts")
    elif facts.fs_type == "autofs":
        yield info(
            check,
            where,
            "it is mounted by autofs when it is used, and is not now",
            hint=f"`ls {facts.store}` mounts it",
        )
    elif facts.fs_type in NETWORK:
        yield warning(
            check,
            where,
            f"the store is on {facts.fs_type}, which was not tried",
            meaning="what is committed rests on rename(2) and link(2) as NFS has them",
            hint="use an NFS export",
        )
    elif facts.fs_type:
        more = ", the one of the cache" if facts.is_cache else ""
        yield info(
            check,
            facts.store,
            f"it is on a filesystem of this machine: {facts.fs_type}, mounted on"
            f" {where}{more}",
            meaning="only runners on this machine share it",
            hint=f"if it is to be a share, it is not mounted: `mount {facts.store}`, or"
            " see /etc/fstab",
        )
    else:
        yield info(check, facts.store, "what it is mounted as could not be told")


def _judge_options(facts: MountFacts) -> Iterator[Finding]:
    options, where = facts.options, facts.point
    hint = (
        f"take it out of the line of {where} in /etc/fstab, then `umount {where}` and"
    )
    hint += f" `mount {where}` when no job runs"
    if "noac" in options:
        yield warning(
            "mount",
            where,
            "noac",
            meaning="each run costs several times as many RPCs: 113 for 33 of a first"
            " promotion, 176 for 106 of a pull of 20 entries; nothing is gained, as a pull"
            " sees at once what was promoted without it",
            hint=hint,
        )
    else:  # noac sets both
        yield from _judge_cache_times(options, where, hint)
        if "sync" in options:
            yield warning(
                "mount",
                where,
                "sync (of the mount, not of the export)",
                meaning="each write waits for the server, at a significant cost (nfs(5));"
                " nothing is gained: all that is committed is fsynced before",
                hint=hint,
            )
    if options.get("lookupcache") == "none":
        yield warning(
            "mount",
            where,
            "lookupcache=none",
            meaning="promotions cost twice as many RPCs (46 for 22), and nothing is gained",
            hint=hint,
        )
    for soft in ("soft", "softerr"):
        if soft in options:
            yield warning(
                "mount",
                where,
                f"{soft}{_spell_timeo(options)}",
                meaning="when the server is away, calls fail in the middle of writes, and"
                ' "silent data corruption" is possible (nfs(5)); as a deadline for pulls'
                " it is not needed: they keep theirs on hard mounts",
                hint=f"say `hard` in place of `{soft}` in /etc/fstab, then `umount {where}`"
                f" and `mount {where}` when no job runs",
            )
    if "nocto" in options:
        yield warning(
            "mount",
            where,
            "nocto",
            meaning='the client guesses by a "non-standard heuristic" what has changed'
            " (nfs(5)): what other runners promote may be seen late",
            hint=hint,
        )
    yield from _judge_sizes(options, where, hint)
    missing = [name for name in _HARDENING if name not in options]
    if missing:
        yield info(
            "mount",
            where,
            f"not mounted with {', '.join(missing)}",
            meaning="nothing on the share is ever run, so these cost nothing, and guard"
            " against what somebody else puts there",
            hint=f"add them to the line of {where} in /etc/fstab",
        )


def _judge_cache_times(
    options: Mapping[str, str], where: str, hint: str
) -> Iterator[Finding]:
    shorter = [
        f"{name}={options[name]}"
        for name, default_s in _DEFAULT_TIMES.items()
        if options.get(name, "").isdigit() and int(options[name]) < default_s
    ]
    if shorter:
        make = warning if any(word.endswith("=0") for word in shorter) else info
        yield make(
            "mount",
            where,
            ", ".join(shorter),
            meaning="more RPCs, and nothing is gained: a pull opens directories before it"
            " believes them",
            hint=hint,
        )


def _judge_sizes(
    options: Mapping[str, str], where: str, hint: str
) -> Iterator[Finding]:
    for name in ("rsize", "wsize"):
        text = options.get(name, "")
        if text.isdigit() and int(text) < _FULL_BYTES:
            make = warning if int(text) < _SMALL_BYTES else info
            yield make(
                "mount",
                where,
                f"{name}={text}",
                meaning=f"a pack takes {_FULL_BYTES // int(text) or 1} times as many calls"
                f" as with {spell_bytes(_FULL_BYTES)}, which is the default",
                hint=f"{hint}; if it is not there, the server allows no more",
            )


def _spell_timeo(options: Mapping[str, str]) -> str:
    words = [f"{k}={options[k]}" for k in ("timeo", "retrans") if k in options]
    return f" ({', '.join(words)})" if words else ""
