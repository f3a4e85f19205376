"""What is written for Prometheus, and how it travels between our own processes."""

import json
import re
from datetime import date

import pytest

from wheelferry.daemon.metrics import CATALOGUE
from wheelferry.ops.figures import DAY_S, SUMS, Day, Sums
from wheelferry.ops.metrics import (
    KNOWN,
    Known,
    Metric,
    Sample,
    decode_known,
    encode_known,
    find_sums,
    render_known,
    render_metrics,
)

FULL = Known(
    packs=2,
    pack_bytes=1 << 40,
    records=3,
    segments=1,
    store_max_bytes=1 << 41,
    cache_max_bytes=1 << 30,
    sums=Sums(**{name: number for number, name in enumerate(SUMS, start=1)}),
)


def test_names_keep_to_the_conventions() -> None:
    """Of prometheus.io/docs/practices/naming: one prefix, and `_total` for counters only."""
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)
    for metric in CATALOGUE:
        assert re.fullmatch(r"wheelferry_[a-z_]+", metric.name)
        assert metric.kind in ("gauge", "counter")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert not {"\n", "\\"} & set(metric.help)
        assert not metric.help.endswith(".")


def test_each_sample_names_its_runner() -> None:
    """Or two runners of one host could not have a file each: node_exporter takes neither."""
    lines = render_known(FULL, runner="r1").splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert len(samples) == len(KNOWN)
    assert all('{runner="r1"} ' in line for line in samples)


def test_what_is_not_known_is_left_out() -> None:
    """With its help and type: an alert on it does not fire, and does not see a 0."""
    assert render_known(Known(), runner="r1") == ""
    text = render_known(Known(packs=0), runner="r1")
    assert text == (
        "# HELP wheelferry_store_packs Packs in the store, as this runner last saw it.\n"
        "# TYPE wheelferry_store_packs gauge\n"
        'wheelferry_store_packs{runner="r1"} 0\n'
    )


def test_labels_are_escaped() -> None:
    """As the format has it: a quote, a backslash and the end of a line."""
    odd: Metric[str] = Metric(
        "m", "gauge", "h", lambda value: [Sample(1, {"a": value})]
    )
    assert render_metrics([odd], 'x"\\\n', runner="r").splitlines()[-1] == (
        r'm{runner="r",a="x\"\\\n"} 1'
    )


def test_every_number_of_the_sums_has_its_own_metric() -> None:
    """No two metrics show one number, and none shows another's."""
    text = render_known(FULL, runner="r1")
    found = re.findall(r'^wheelferry_(\w+)\{runner="r1"\} (\d+)$', text, re.MULTILINE)
    numbers = {name: int(value) for name, value in found}
    assert numbers["pulled_bytes_total"] == SUMS.index("pulled_bytes") + 1
    assert numbers["avoided_build_seconds_total"] == SUMS.index("build_s") + 1
    small = [value for value in numbers.values() if value > 3 and value <= len(SUMS)]
    assert len(small) == len(set(small))


def test_known_goes_through_json_unchanged() -> None:
    """From a run to its daemon, and from the daemon to `status`."""
    for known in (FULL, Known(), Known(packs=1, sums=Sums())):
        assert decode_known(json.loads(json.dumps(encode_known(known)))) == known


def day(text: str) -> int:
    """Return a day as figures count it."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("today", "pulled"),
    [
        ("2025-12-31", 1),
        ("2026-01-01", 2),
        ("2026-03-01", 2 + 4),
        ("2027-01-01", 0),
    ],
)
def test_sums_are_those_of_the_year(today: str, pulled: int) -> None:
    """They begin anew at once, and never lose a part: that would look like a restart."""
    days = [
        Day(day=day(text), sums=Sums(pulled=number))
        for text, number in (
            ("2024-12-31", 8),
            ("2025-12-31", 1),
            ("2026-01-01", 2),
            ("2026-02-28", 4),
        )
        if day(text) <= day(today)
    ]
    now_s = day(today) * DAY_S + 5.0
    assert find_sums(days, now_s).pulled == pulled
