"""What runs by itself: inotify, the units of systemd, and the daemon.

Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wheelferry.doctor.checks.verdict import error, info, ok, warning
from wheelferry.ops.finding import Finding

INSTANCES: Final = 1
WATCHES: Final = 3
"""Of inotify, that a daemon needs, whatever the size of its cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inotify:
    """Limits of a user, and what that user's processes hold now; None if not told."""

    max_instances: int | None
    max_watches: int | None
    instances: int
    watches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit, as `systemctl show` has it."""

    name: str
    user: str
    active: str
    sub: str
    enabled: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonFacts:
    """What the daemon of the cache says of itself."""

    pid: int
    version: str
    store: str
    watching: str
    degraded: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """What was found.

    Attributes:
        user: Who looked.
        inotify: Limits.
        is_booted: Whether systemd manages this machine.
        units: Wheelferry's, of this user.
        unit_trouble: Why they could not be asked for.
        daemon: None if none runs for this cache.
        version: Ours.
        store: The configured one.
    """

    user: str
    inotify: Inotify
    is_booted: bool
    units: tuple[Unit, ...]
    unit_trouble: str
    daemon: DaemonFacts | None
    version: str
    store: str


def judge_service(facts: ServiceFacts) -> Iterator[Finding]:
    """Yield the findings on it."""
    yield _judge_inotify(facts)
    yield from _judge_units(facts)
    yield from _judge_daemon(facts)


def _judge_inotify(facts: ServiceFacts) -> Finding:
    found = facts.inotify
    is_served = facts.daemon is not None and facts.daemon.watching == "inotify"
    if found.max_instances is None or found.max_watches is None:
        return info(
            "inotify",
            "/proc/sys/fs/inotify",
            "this kernel does not tell its limits",
            meaning="where there is no inotify, the daemon polls the cache once a second",
        )
    held = (
        f"{found.instances} of {found.max_instances} instances and {found.watches} of"
        f" {found.max_watches} watches of {facts.user} are in use"
    )
    if is_served:
        return ok("inotify", facts.user, f"the daemon has what it needs; {held}")
    for name, used, limit, need in (
        ("max_user_instances", found.instances, found.max_instances, INSTANCES),
        ("max_user_watches", found.watches, found.max_watches, WATCHES),
    ):
        if used + need > limit:
            return warning(
                "inotify",
                f"fs.inotify.{name}",
                f"{held}; a daemon needs {need} more",
                meaning="it polls the cache once a second in place of hearing of changes",
                hint=f"`echo fs.inotify.{name}={max(2 * limit, 128)} | sudo tee"
                " /etc/sysctl.d/60-inotify.conf && sudo sysctl --system`",
            )
    return ok("inotify", facts.user, held)


def _judge_units(facts: ServiceFacts) -> Iterator[Finding]:
    check = "service"
    by_hooks = "the cache is filled and promoted by hooks alone, if there are any"
    if not facts.is_booted:
        yield info(
            check, "systemd", "systemd does not manage this machine", meaning=by_hooks
        )
    elif facts.unit_trouble:
        yield warning(
            check,
            "systemd",
            f"its units could not be asked for: {facts.unit_trouble}",
            hint="`systemctl status 'wheelferry*'` shows them",
        )
    elif not facts.units:
        yield info(
            check,
            facts.user,
            "no service is installed for this user",
            meaning=by_hooks,
            hint=f"`sudo wheelferry systemd install --user {facts.user} --now`, if the"
            " daemon is wanted",
        )
    for unit in facts.units:
        yield _judge_unit(unit)


def _judge_unit(unit: Unit) -> Finding:
    check, name = "service", unit.name
    state = f"{unit.active} ({unit.sub})"
    if unit.active == "failed" or unit.sub == "auto-restart":
        return error(
            check,
            name,
            f"{state}: {unit.result}",
            meaning="nothing is promoted or pulled by itself",
            hint=f"`journalctl -u {name} -n 30` says why (docs/operations.md lists what"
            f" it can say); then `sudo systemctl restart {name}`",
        )
    if unit.active not in ("active", "activating", "reloading"):
        return warning(
            check,
            name,
            state,
            meaning="nothing is promoted or pulled by itself",
            hint=f"`sudo systemctl enable --now {name}`",
        )
    if unit.enabled == "disabled":
        return warning(
            check,
            name,
            f"{state}, but it does not start at boot",
            meaning="after the next boot nothing is promoted or pulled by itself",
            hint=f"`sudo systemctl enable {name}`",
        )
    return ok(check, name, state)


def _judge_daemon(facts: ServiceFacts) -> Iterator[Finding]:
    check, daemon = "daemon", facts.daemon
    if daemon is None:
        yield ok(check, facts.user, "none runs for this cache")
        return
    subject, found = f"process {daemon.pid}", []
    if daemon.degraded:
        found.append(
            warning(
                check,
                subject,
                f"degraded: {daemon.degraded}",
                meaning="it tries again by itself, and catches up",
                hint="`wheelferry status` shows since when",
            )
        )
    if daemon.watching == "polling":
        found.append(
            warning(
                check,
                subject,
                "it cannot use inotify, and polls the cache once a second",
                hint="see what this says of inotify; the daemon tries again each minute",
            )
        )
    if daemon.version != facts.version:
        found.append(
            warning(
                check,
                subject,
                f"it is version {daemon.version}, and this is {facts.version}",
                hint="`sudo systemctl restart 'wheelferry@*'`",
            )
        )
    if facts.store and daemon.store != facts.store:
        found.append(
            warning(
                check,
                subject,
                f"it serves the store {daemon.store}, and {facts.store} is configured",
                hint="`sudo wheelferry systemd install` again, with the same flags and"
                " --now",
            )
        )
    yield from found or [ok(check, subject, f"it runs, watching by {daemon.watching}")]
