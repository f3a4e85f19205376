"""What the daemon's figures are called, and a scrape of them as Prometheus reads it.

The text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/

Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from wheelferry.daemon.account import Account, Carried, TaskAccount
from wheelferry.daemon.http1 import ABSENT, OK, Answer, Head, encode_answer, encode_text

PATH: Final = "/metrics"

_KIND: Final = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    """One number, and the labels that tell it from others of its metric."""

    value: float
    labels: Mapping[str, str] = {}


class Metric(NamedTuple):
    """A metric.

    Attributes:
        name: By Prometheus' conventions: units are base units, and stand in the name.
        kind: `gauge` or `counter`.
        help: One sentence without its full stop.
        samples: Finds its numbers; none of what is not known, or not so.
    """

    name: str
    kind: str
    help: str
    samples: Callable[[Account], Iterable[Sample]]


def _of_tasks(
    find: Callable[[TaskAccount], float | None],
) -> Callable[[Account], Iterable[Sample]]:
    return lambda account: [
        Sample(value, {"task": name})
        for name, task in account.tasks.items()
        if (value := find(task)) is not None
    ]


def _of_carried(
    find: Callable[[Carried], float],
) -> Callable[[Account], Iterable[Sample]]:
    return lambda account: [
        Sample(find(carried), {"task": name})
        for name, carried in account.carried.items()
    ]


METRICS: Final = (
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
        lambda account: [Sample(account.started_s)],
    ),
    Metric(
        "wheelferry_degraded",
        "gauge",
        "1 while the daemon lacks something, such as the store, else 0",
        lambda account: [Sample(int(bool(account.degraded)))],
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
        "wheelferry_carried_entries_total",
        "counter",
        "Entries put into the store (promote), or into the cache (pull)",
        _of_carried(lambda carried: carried.entries),
    ),
    Metric(
        "wheelferry_carried_bytes_total",
        "counter",
        "Bytes of packs written to the store (promote), or read from it (pull)",
        _of_carried(lambda carried: carried.size_bytes),
    ),
    Metric(
        "wheelferry_inotify_watches",
        "gauge",
        "How many inotify watches the daemon has; 0 while it does without",
        lambda account: [Sample(account.watches)],
    ),
)
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
    return encode_text(OK, render_metrics(account), kind=_KIND)


def render_metrics(account: Account) -> str:
    """Return all metrics in the text format; one without a number is left out."""
    lines: list[str] = []
    for metric in METRICS:
        if samples := list(metric.samples(account)):
            lines += [
                f"# HELP {metric.name} {metric.help}.",
                f"# TYPE {metric.name} {metric.kind}",
                *(_render(metric.name, sample) for sample in samples),
            ]
    return "\n".join([*lines, ""])


def _render(name: str, sample: Sample) -> str:
    labels = ",".join(
        f'{label}="{_escape(value)}"' for label, value in sample.labels.items()
    )
    return f"{name}{f'{{{labels}}}' if labels else ''} {sample.value}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
