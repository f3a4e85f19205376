"""What the daemon's own figures are called, and what a scrape of all of them says.

Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from wheelferry.daemon.account import Account, TaskAccount
from wheelferry.daemon.http1 import ABSENT, OK, Answer, Head, encode_answer, encode_text
from wheelferry.ops.metrics import (
    KNOWN,
    Metric,
    Sample,
    one,
    render_known,
    render_metrics,
)

PATH: Final = "/metrics"

_KIND: Final = "text/plain; version=0.0.4; charset=utf-8"


def _of_tasks(
    find: Callable[[TaskAccount], float | None],
) -> Callable[[Account], Iterable[Sample]]:
    return lambda account: _by_task(account.tasks, find)


def _by_task(
    tasks: Mapping[str, Any], find: Callable[[Any], float | None]
) -> list[Sample]:
    return [
        Sample(value, {"task": name})
        for name, task in tasks.items()
        if (value := find(task)) is not None
    ]


METRICS: Final[Sequence[Metric[Account]]] = (
    Metric(
        "wheelferry_build_info",
        "gauge",
        "Always 1; the label says which version runs",
        lambda account: [Sample(1, {"version": account.version})],
    ),
    Metric(
        "wheelferry_daemon_start_time_seconds",
        "gauge",
        "When the daemon started, since the epoch",
        one(lambda account: account.started_s),
    ),
    Metric(
        "wheelferry_degraded",
        "gauge",
        "1 while the daemon lacks something, such as the store, else 0",
        one(lambda account: int(bool(account.degraded))),
    ),
    Metric(
        "wheelferry_task_last_success_timestamp_seconds",
        "gauge",
        "When a run of the task last ended well, since the epoch; absent before the first",
        _of_tasks(lambda task: task.last_s),
    ),
    Metric(
        "wheelferry_task_failures",
        "gauge",
        "How many runs of the task have failed in a row",
        _of_tasks(lambda task: task.failures),
    ),
    Metric(
        "wheelferry_task_waiting_since_timestamp_seconds",
        "gauge",
        "Since when there is something for the task to do; absent while there is nothing",
        _of_tasks(lambda task: task.waits_since_s),
    ),
    Metric(
        "wheelferry_removed_total",
        "counter",
        "Packs removed from the store (gc), or entries from the cache (trim)",
        lambda account: _by_task(account.removed, lambda removed: removed.number),
    ),
    Metric(
        "wheelferry_removed_bytes_total",
        "counter",
        "Size of what was removed from the store (gc), or from the cache (trim)",
        lambda account: _by_task(account.removed, lambda removed: removed.size_bytes),
    ),
    Metric(
        "wheelferry_budget_excess_bytes",
        "gauge",
        "What the last removal left beyond the budget of the store (gc) or cache (trim)",
        lambda account: _by_task(account.removed, lambda removed: removed.excess_bytes),
    ),
    Metric(
        "wheelferry_inotify_watches",
        "gauge",
        "How many inotify watches the daemon has; 0 while it does without",
        one(lambda account: account.watches),
    ),
)
"""Those of a daemon alone."""

CATALOGUE: Final[Sequence[Metric[Any]]] = (*METRICS, *KNOWN)
"""All of them, in the order of a scrape."""


def answer_scrape(asked: Head | Answer, account: Account) -> bytes:
    """Return what is said to whoever asked for something.

    Args:
        asked: That, or why it is no request.
        account: How the daemon goes.
    """
    if isinstance(asked, Answer):
        return encode_answer(asked)
    if (asked.method, asked.target) != ("GET", PATH):
        return encode_answer(Answer(ABSENT, f"there is nothing but GET {PATH} here"))
    return encode_text(OK, render_account(account), kind=_KIND)


def render_account(account: Account) -> str:
    """Return all that a daemon has to tell, in the text format."""
    own = render_metrics(METRICS, account, runner=account.runner)
    return own + render_known(account.known, runner=account.runner)
