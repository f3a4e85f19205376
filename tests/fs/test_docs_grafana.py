"""`docs/grafana.json`: a dashboard of metrics that there are, in a form that Grafana takes."""

import itertools
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import promtool
from tests.support.reference import DOCS
from wheelferry.daemon.metrics import CATALOGUE

Json = dict[str, Any]

DASHBOARD: Final[Json] = json.loads((DOCS / "grafana.json").read_text())
PANELS: Final[list[Json]] = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
VARIABLES: Final[list[Json]] = DASHBOARD["templating"]["list"]
TARGETS: Final[list[tuple[str, Json]]] = [
    (panel["title"], target) for panel in PANELS for target in panel["targets"]
]
WIDTH: Final = 24
"""Columns of a dashboard."""

OF_GRAFANA: Final = {"$__rate_interval": "5m", "$__range": "7d"}
"""Variables that Grafana has by itself, and a value of each."""


def fill(expression: str) -> str:
    """Return an expression as Grafana sends it."""
    for name, value in {**OF_GRAFANA, "$runner": ".*"}.items():
        expression = expression.replace(name, value)
    return expression


@pytest.mark.parametrize("number", range(len(TARGETS)))
def test_expression_is_of_metrics_that_there_are(number: int) -> None:
    """And counters are shown by how they grow, which survives a restart; gauges never."""
    title, target = TARGETS[number]
    kinds = {metric.name: metric.kind for metric in CATALOGUE}
    found = list(re.finditer(r"(\w+\()?(wheelferry_\w+)(\S*)", target["expr"]))
    assert found, title
    for match in found:
        around, name, selector = match.groups()
        assert name in kinds, title
        assert selector.startswith('{runner=~"$runner"}'), title
        grows = (around or "") in ("rate(", "increase(")
        assert grows == (kinds[name] == "counter"), f"{title}: {name}"


def test_expressions_are_promql(tmp_path: Path) -> None:
    """As Prometheus' own parser has it."""
    rules = [
        {"record": f"panel:{number}", "expr": fill(target["expr"])}
        for number, (_, target) in enumerate(TARGETS)
    ]
    assert not [rule for rule in rules if "$" in rule["expr"]]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = promtool.run_or_skip("check", "rules", str(file))
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_legends_and_variables_are_of_labels_that_there_are() -> None:
    """A legend of a label that no sample has would be empty."""
    labels = {label for _, t in TARGETS for label in re.findall(r"{{(\w+)}}", str(t))}
    assert labels <= {"runner", "task"}
    (runner,) = (v for v in VARIABLES if v["name"] == "runner")
    query = re.fullmatch(r"label_values\((\w+), runner\)", runner["query"]["query"])
    assert query
    assert query[1] in {metric.name for metric in CATALOGUE}


def test_data_comes_from_the_source_that_is_chosen() -> None:
    """No id of a data source of anybody's is in it, and no variable that is not defined."""
    sources = [p["datasource"] for p in PANELS] + [t["datasource"] for _, t in TARGETS]
    assert all(s == {"type": "prometheus", "uid": "${datasource}"} for s in sources)
    used = set(re.findall(r"\$\{?([a-z_]\w*)", json.dumps(DASHBOARD))) - {"__all"}
    defined = {variable["name"] for variable in VARIABLES}
    assert used - {name.strip("$") for name in OF_GRAFANA} == defined


def test_panels_have_their_places() -> None:
    """Ids are unique, and no panel lies on another or sticks out."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < WIDTH


def test_panels_say_what_they_show() -> None:
    """In words, and in a unit that fits the metrics."""
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        unit = panel["fieldConfig"]["defaults"]["unit"]
        expressions = " ".join(target["expr"] for target in panel["targets"])
        is_of_bytes = "_bytes" in expressions and " / " not in expressions
        assert (unit in ("bytes", "Bps")) == is_of_bytes, panel["title"]
        assert (unit == "s") == ("seconds" in expressions), panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == [chr(ord("A") + n) for n, _ in enumerate(refs)]


def test_titles_are_unique() -> None:
    """So that an alert or a question can name one."""
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert [a for a, b in itertools.combinations(titles, 2) if a == b] == []


def test_dashboard_is_of_a_model_that_grafana_imports() -> None:
    """What an import without these would refuse, or guess."""
    assert DASHBOARD["title"] == "Wheelferry"
    assert re.fullmatch(r"[\w-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["schemaVersion"] >= 36, "data sources are objects from there on"
    assert "id" not in DASHBOARD, "the database's, of another Grafana"
    assert {panel["type"] for panel in PANELS} <= {"stat", "timeseries"}
