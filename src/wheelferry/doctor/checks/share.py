"""The store on its share: is it there, is it the right one, and is it fit to work with?

Pure.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wheelferry.doctor.checks.room import Room, judge_room
from wheelferry.doctor.checks.verdict import error, info, ok, warning
from wheelferry.ops.finding import Finding
from wheelferry.store.layout import OBJECTS, STAGING, USAGE
from wheelferry.store.upkeep import StoreSurvey

SLOW_S: Final = 0.02
CALLS: Final = 106
"""Of a pull of 20 entries; see `docs/benchmarks.md#rpcs`."""

_NOTICED_S: Final = 2.0
_WRONG_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareFacts:
    """What was found of the store.

    Attributes:
        store: Its path; "" if none is configured.
        expected_id: The configured id; "" if none is.
        store_id: Its own; "" if it could not be opened.
        trouble: Why it could not be opened or looked at: message, and what to do.
        is_silent: Whether that is because it did not answer.
        unmounted: Where fstab says that the share is to be mounted, and nothing is.
        skipped_s: For how long pull and promote still leave it alone, as it was silent.
        promotes: Whether this runner is to write.
        user: Who looked.
        groups: Of that user.
        names: Users and groups by number, as far as they have a name.
        survey: What was seen; None if there is trouble.
    """

    store: str
    expected_id: str
    store_id: str
    trouble: tuple[str, str] | None
    is_silent: bool
    unmounted: str
    skipped_s: int
    promotes: bool
    user: str
    groups: frozenset[int]
    owner_names: tuple[tuple[int, str], ...]
    group_names: tuple[tuple[int, str], ...]
    survey: StoreSurvey | None


def judge_share(facts: ShareFacts) -> Iterator[Finding]:
    """Yield the findings on it; most of them only if it can be looked at."""
    yield from _judge_store(facts)
    survey = facts.survey
    if survey is None:
        return
    yield _judge_round_trip(facts, survey)
    yield judge_room(
        "store-space",
        facts.store,
        Room(
            free_bytes=survey.free_bytes,
            size_bytes=survey.size_bytes,
            free_files=survey.free_files,
            size_files=survey.size_files,
        ),
        meaning="promote says so and stops; pull goes on",
        hint="make room on the file server, or raise the quota; docs/operations.md says"
        " what of the store can be removed",
    )
    yield from _judge_writing(facts, survey)
    if survey.written_s:
        yield _judge_clock(facts, survey)


def _judge_store(facts: ShareFacts) -> Iterator[Finding]:
    check = "store"
    if not facts.store:
        yield error(
            check,
            "store.path",
            "no store is configured",
            meaning="pull and promote have nowhere to go",
            hint="`wheelferry init /mnt/wheels --group GROUP` makes one on a share, and"
            " prints what to put into /etc/wheelferry/config.toml",
        )
        return
    if facts.trouble is not None:
        message, hint = facts.trouble
        if facts.unmounted:
            hint = f"`sudo mount {facts.unmounted}`: /etc/fstab has it, and it is not"
            hint += " mounted"
        elif facts.is_silent:
            hint = "ask for the file server and the network; `nfsstat -m` and `dmesg |"
            hint += " grep -i nfs` show what this machine knows; do not run `ls` there:"
            hint += " it hangs"
        yield error(
            check,
            facts.store,
            message,
            meaning="jobs go on without it; pull and promote do nothing",
            hint=hint,
        )
    else:
        yield ok(check, facts.store, f"it answers, and has the id {facts.store_id}")
    if facts.skipped_s:
        yield info(
            check,
            facts.store,
            f"it was silent, and is left alone for {facts.skipped_s} s more",
            meaning="pull and promote end at once, without it",
            hint="`wheelferry status` asks it now, and ends that if it answers",
        )
    if facts.trouble is None and not facts.expected_id:
        yield warning(
            check,
            "store.id",
            "no id is configured",
            meaning="whatever store is mounted there is taken for the right one",
            hint=f'put `id = "{facts.store_id}"` under [store] into'
            " /etc/wheelferry/config.toml",
        )


def _judge_round_trip(facts: ShareFacts, survey: StoreSurvey) -> Finding:
    ordered = sorted(survey.answers_s)
    usual_s = ordered[len(ordered) // 2]
    message = f"{usual_s * 1000:.1f} ms, at most {ordered[-1] * 1000:.1f} ms"
    if usual_s < SLOW_S:
        return ok("round-trip", facts.store, message)
    return warning(
        "round-trip",
        facts.store,
        message,
        meaning=f"a pull of 20 entries makes about {CALLS} calls:"
        f" {CALLS * usual_s:.0f} s of waiting, if one follows the other",
        hint="is the server in another building, overloaded, or the link slow? `ping` and"
        " `nfsiostat` on this machine, `nfsstat -s` and `iostat -x` on the server",
    )


def _judge_writing(facts: ShareFacts, survey: StoreSurvey) -> Iterator[Finding]:
    check = "store-writable"
    modes = {path: mode for path, mode, _, _ in survey.directories}
    is_shared = bool(modes[OBJECTS] & stat.S_IWGRP)
    make = error if facts.promotes else info
    refused = survey.refused or ((STAGING,) if survey.trouble else ())
    if refused:
        yield make(
            check,
            f"{facts.store}/{refused[0]}",
            f"{facts.user} cannot write there"
            f"{f' ({survey.trouble})' if survey.trouble else ''}:"
            f" {_describe(facts, survey, refused[0])}",
            meaning="promote puts nothing into the store; pull works"
            if facts.promotes
            else "this runner only pulls, which works",
            hint=_advise(facts, survey, is_shared=is_shared)
            if facts.promotes
            else "nothing, if it is meant so",
        )
    elif not facts.promotes:
        yield ok(check, facts.store, "not tried: this runner only pulls")
    elif crooked := [*_find_crooked(survey)] if is_shared else []:
        yield warning(
            check,
            f"{facts.store}/{crooked[0]}",
            f"it is not as `wheelferry init --group` makes it:"
            f" {_describe(facts, survey, crooked[0])}",
            meaning="what one user makes there, others of the group may not be able to"
            " change or remove",
            hint=f"`wheelferry init {facts.store} --group"
            f" {_group_name(facts, survey, OBJECTS)}` as"
            f" {_owner_name(facts, survey, OBJECTS)} puts it right, and loses nothing",
        )
    else:
        yield ok(check, facts.store, f"{facts.user} can write to it")


def _find_crooked(survey: StoreSurvey) -> Iterator[str]:
    """Yield directories of a group's store that differ from what `store.create` makes."""
    group = next(gid for path, _, _, gid in survey.directories if path == OBJECTS)
    for path, mode, _, gid in survey.directories:
        wanted = 0o3775 if path in (STAGING, USAGE) else 0o2775
        if mode & wanted != wanted or gid != group:
            yield path


def _advise(facts: ShareFacts, survey: StoreSurvey, *, is_shared: bool) -> str:
    group = _group_name(facts, survey, OBJECTS)
    owner = _owner_name(facts, survey, OBJECTS)
    own = survey.trouble.rpartition(": ")[0]
    gid = next(gid for path, _, _, gid in survey.directories if path == OBJECTS)
    if "ead-only" in survey.trouble:
        return (
            "the share is mounted or exported read-only: say `rw` in /etc/fstab and"
            ' in /etc/exports; for a runner that is only to pull, daemon.tasks = ["pull"]'
        )
    if not survey.refused and "ermission denied" in survey.trouble:
        return (
            f"another user has run wheelferry under this runner's name, and made {own}:"
            f" `ls -ld {own}` says who; remove it, and give each user a runner.name of"
            " its own"
        )
    if not is_shared:
        return (
            f"only {owner} may write to this store: `wheelferry init {facts.store} --group"
            f" GROUP` as {owner} lets all members of a group"
        )
    if gid not in facts.groups:
        return (
            f"`sudo usermod -aG {group} {facts.user}`, then start the runner anew; the"
            " number of the group must be the same on the file server"
        )
    return f"`wheelferry init {facts.store} --group {group}` as {owner} sets the modes"


def _describe(facts: ShareFacts, survey: StoreSurvey, path: str) -> str:
    mode = next(mode for name, mode, _, _ in survey.directories if name == path)
    owner, group = _owner_name(facts, survey, path), _group_name(facts, survey, path)
    return f"{stat.filemode(mode)} {owner} {group}"


def _owner_name(facts: ShareFacts, survey: StoreSurvey, path: str) -> str:
    uid = next(uid for name, _, uid, _ in survey.directories if name == path)
    return dict(facts.owner_names).get(uid, str(uid))


def _group_name(facts: ShareFacts, survey: StoreSurvey, path: str) -> str:
    gid = next(gid for name, _, _, gid in survey.directories if name == path)
    return dict(facts.group_names).get(gid, str(gid))


def _judge_clock(facts: ShareFacts, survey: StoreSurvey) -> Finding:
    began_s, ended_s = survey.clock_s
    apart_s = 0.0  # within what the writing took, nobody can tell
    if survey.written_s < began_s:
        apart_s = survey.written_s - began_s
    elif survey.written_s > ended_s:
        apart_s = survey.written_s - ended_s
    size_s = abs(apart_s)
    if size_s < _NOTICED_S:
        return ok("store-clock", facts.store, f"{size_s:.1f} s from this machine's")
    return (warning if size_s >= _WRONG_S else info)(
        "store-clock",
        facts.store,
        f"the server's clock is {size_s:.0f} s {'ahead of' if apart_s > 0 else 'behind'}"
        " this machine's",
        meaning="wheelferry compares times of the server only with each other, and needs"
        " no equal clocks; but logs of several machines cannot be compared, and TLS fails"
        " on the one that is wrong by much",
        hint="`timedatectl` on both shows which one is not synchronised;"
        " `sudo timedatectl set-ntp true` there",
    )
