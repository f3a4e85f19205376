"""What a runner's figures are called, and how Prometheus reads them.

The text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
It is what a scrape returns, and what node_exporter's textfile collector takes from a file.
Names keep to https://prometheus.io/docs/practices/naming/.

Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Generic, NamedTuple, TypeVar

from wheelferry.ops.figures import Day, Sums, add_sums, date_of, day_of

T = TypeVar("T")


class Sample(NamedTuple):
    """One number, and the labels that tell it from others of its metric."""

    value: float
    labels: Mapping[str, str] = {}


class Metric(NamedTuple, Generic[T]):
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
    samples: Callable[[T], Iterable[Sample]]


class Known(NamedTuple):
    """What a runner knows without asking the store; sizes in bytes, None if unknown.

    Attributes:
        packs: In the store, as of the last refresh.
        pack_bytes: Their size.
        records: Entries of the catalog.
        segments: Files of the catalog.
        store_max_bytes: `gc.max_size`.
        cache_max_bytes: `trim.max_size`.
        sums: What all runs of this runner did, this year: see `find_sums`.
    """

    packs: int | None = None
    pack_bytes: int | None = None
    records: int | None = None
    segments: int | None = None
    store_max_bytes: int | None = None
    cache_max_bytes: int | None = None
    sums: Sums | None = None


def find_sums(days: Iterable[Day], now_s: float) -> Sums:
    """Return what was done since the year began, in UTC.

    A counter may begin anew at 0, but must not lose a part of what it has: Prometheus
    would take all of the rest for new.  So it would be with all days that are kept, of
    which the oldest go one by one; those of a year are always there.
    """
    today = day_of(now_s)
    new_year = today - (date_of(today).timetuple().tm_yday - 1)
    return add_sums(day.sums for day in days if day.day >= new_year)


def encode_known(known: Known) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {**known._asdict(), "sums": known.sums and asdict(known.sums)}


def decode_known(found: Mapping[str, Any]) -> Known:
    """Undo `encode_known`; raises TypeError if it is of another version."""
    sums = found.get("sums")
    return Known(**{**found, "sums": sums and Sums(**sums)})


def one(find: Callable[[T], float | None]) -> Callable[[T], Iterable[Sample]]:
    """Return what finds the one number of a metric, or none if that is None."""

    def samples(subject: T) -> Iterable[Sample]:
        value = find(subject)
        return () if value is None else (Sample(value),)

    return samples


def _sum(name: str) -> Callable[[Known], Iterable[Sample]]:
    return one(lambda known: None if known.sums is None else getattr(known.sums, name))


KNOWN: Final[Sequence[Metric[Known]]] = (
    Metric(
        "wheelferry_store_packs",
        "gauge",
        "Packs in the store, as this runner last saw it",
        one(lambda known: known.packs),
    ),
    Metric(
        "wheelferry_store_bytes",
        "gauge",
        "Size of the packs in the store, as this runner last saw it",
        one(lambda known: known.pack_bytes),
    ),
    Metric(
        "wheelferry_store_max_bytes",
        "gauge",
        "What the packs may have together, by gc.max_size; absent without that",
        one(lambda known: known.store_max_bytes),
    ),
    Metric(
        "wheelferry_store_entries",
        "gauge",
        "Entries that the catalog of the store names",
        one(lambda known: known.records),
    ),
    Metric(
        "wheelferry_store_segments",
        "gauge",
        "Files that the catalog of the store consists of",
        one(lambda known: known.segments),
    ),
    Metric(
        "wheelferry_cache_max_bytes",
        "gauge",
        "What the local cache may have, by trim.max_size; absent without that",
        one(lambda known: known.cache_max_bytes),
    ),
    Metric(
        "wheelferry_pulls_total",
        "counter",
        "Runs of pull, also those that found nothing to do",
        _sum("pulls"),
    ),
    Metric(
        "wheelferry_failed_pulls_total",
        "counter",
        "Runs of pull that the store, the cache or the deadline ended",
        _sum("failed"),
    ),
    Metric(
        "wheelferry_job_waited_seconds_total",
        "counter",
        "How long jobs waited for pulls and promotions",
        _sum("waited_s"),
    ),
    Metric(
        "wheelferry_background_seconds_total",
        "counter",
        "How long pulls and promotions took for which no job waited",
        _sum("background_s"),
    ),
    Metric(
        "wheelferry_pulled_entries_total",
        "counter",
        "Entries that were restored into the cache",
        _sum("pulled"),
    ),
    Metric(
        "wheelferry_pulled_bytes_total",
        "counter",
        "Bytes of packs that were read from the store",
        _sum("pulled_bytes"),
    ),
    Metric(
        "wheelferry_promoted_entries_total",
        "counter",
        "Entries that were put into the store",
        _sum("promoted"),
    ),
    Metric(
        "wheelferry_promoted_bytes_total",
        "counter",
        "Bytes of packs that were written to the store",
        _sum("promoted_bytes"),
    ),
    Metric(
        "wheelferry_reused_entries_total",
        "counter",
        "Entries that a job's lock asked for and that were in the cache already",
        _sum("reused"),
    ),
    Metric(
        "wheelferry_avoided_bytes_total",
        "counter",
        "Bytes that an index would have sent for what was pulled, as far as known",
        _sum("avoided_bytes"),
    ),
    Metric(
        "wheelferry_unsized_entries_total",
        "counter",
        "Pulled entries of which is not known what an index would have sent",
        _sum("unsized"),
    ),
    Metric(
        "wheelferry_avoided_builds_total",
        "counter",
        "Pulled entries that some runner had built",
        _sum("builds"),
    ),
    Metric(
        "wheelferry_avoided_build_seconds_total",
        "counter",
        "What these builds took, where they were seen",
        _sum("build_s"),
    ),
    Metric(
        "wheelferry_untimed_builds_total",
        "counter",
        "Avoided builds that nobody saw, so that their time is not known",
        _sum("untimed"),
    ),
)
"""Those that need no daemon, in the order of a scrape."""


def render_metrics(metrics: Iterable[Metric[T]], subject: T, *, runner: str) -> str:
    """Return metrics in the text format; one without a number is left out.

    Args:
        metrics: Which.
        subject: Whose numbers.
        runner: Becomes a label of each: a host with several runners has a file of each,
            and node_exporter refuses two samples that no label tells apart.
    """
    lines: list[str] = []
    for metric in metrics:
        if samples := list(metric.samples(subject)):
            lines += [
                f"# HELP {metric.name} {metric.help}.",
                f"# TYPE {metric.name} {metric.kind}",
                *(_render(metric.name, sample, runner) for sample in samples),
            ]
    return "".join(f"{line}\n" for line in lines)


def _render(name: str, sample: Sample, runner: str) -> str:
    labels = {"runner": runner, **sample.labels}
    text = ",".join(f'{label}="{_escape(value)}"' for label, value in labels.items())
    return f"{name}{{{text}}} {sample.value}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def render_known(known: Known, *, runner: str) -> str:
    """Return the content of a textfile for a runner that has no daemon."""
    return render_metrics(KNOWN, known, runner=runner)
