"""What a daemon says of itself, for people and for machines.

Pure.  `docs/json.md` describes the fields.
"""

from datetime import datetime

from wheelferry.cli.units import count, format_seconds
from wheelferry.daemon.account import Account, TaskAccount


def encode_daemon(account: Account | None) -> dict[str, object] | None:
    """Return the account as JSON has it; None where no daemon runs."""
    if account is None:
        return None
    return {
        "pid": account.pid,
        "version": account.version,
        "started_s": account.started_s,
        "cache": account.cache,
        "store": account.store,
        "watching": account.watching,
        "watches": account.watches,
        "degraded": account.degraded,
        "degraded_since_s": account.degraded_since_s,
        "last_error": account.last_error,
        "last_error_s": account.last_error_s,
        "tasks": {
            name: {
                "last_s": task.last_s,
                "last_did": task.last_did,
                "failures": task.failures,
                "waits_since_s": task.waits_since_s,
            }
            for name, task in account.tasks.items()
        },
        "carried": {
            name: {"entries": carried.entries, "size_bytes": carried.size_bytes}
            for name, carried in account.carried.items()
        },
        "removed": {
            name: {
                "number": removed.number,
                "size_bytes": removed.size_bytes,
                "excess_bytes": removed.excess_bytes,
            }
            for name, removed in account.removed.items()
        },
    }


def render_daemon(account: Account | None, now_s: float) -> str:
    """Return whether a daemon runs, since when, what it lacks and what waits."""
    if account is None:
        return "daemon none runs for this cache"
    since = f"{_clock(account.started_s)} ({_ago(account.started_s, now_s)})"
    lines = [f"daemon process {account.pid}, since {since}; {_watching(account)}"]
    if account.degraded:
        for_long = ""
        if account.degraded_since_s is not None:
            for_long = f" for {_ago(account.degraded_since_s, now_s)}"
        lines.append(f"degraded{for_long}: {account.degraded}")
    lines += [
        f"{name}: {_render_task(task, now_s)}" for name, task in account.tasks.items()
    ]
    if account.last_error and account.last_error != account.degraded:
        when = (
            "" if account.last_error_s is None else f", {_clock(account.last_error_s)}"
        )
        lines.append(f"last error{when}: {account.last_error}")
    return "\n       ".join(lines)


def _watching(account: Account) -> str:
    if account.watching == "absent":
        return "waits for the cache to be made"
    watches = count(account.watches, "watch", "watches")
    return f"watching by {account.watching}" + (
        f", {watches}" if account.watches else ""
    )


def _render_task(task: TaskAccount, now_s: float) -> str:
    parts = []
    if task.waits_since_s is not None:
        tries = count(task.failures, "failure") if task.failures else "no failure"
        parts.append(f"waits for {_ago(task.waits_since_s, now_s)} ({tries})")
    else:
        parts.append("nothing waits")
    if task.last_s is not None:
        parts.append(f"last run {_clock(task.last_s)}")
    if task.last_did:
        parts.append(f"last {task.last_did}")
    return "; ".join(parts)


def _clock(when_s: float) -> str:
    """Return a time as the clock of this host shows it."""
    return datetime.fromtimestamp(when_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _ago(when_s: float, now_s: float) -> str:
    return format_seconds(max(0.0, now_s - when_s))
