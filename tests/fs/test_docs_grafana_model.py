"""`docs/grafana.json` against the models of a dashboard that Grafana publishes."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import prometheus, stat, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support.reference import DOCS

VERSION: Final = "11.6.0"
"""Of Grafana, whose models these are; they are published for each version."""

SOURCE: Final = json.loads((DOCS / "grafana.json").read_text())
NOT_IN_THE_MODELS: Final = {".templating.list[].definition"}
"""Grafana writes and reads it, as the text of a query in a list of variables."""


@pytest.fixture(scope="module")
def dashboard() -> Dashboard:
    """Return the dashboard as Grafana's models have it."""
    register_default_plugins()
    return Dashboard.from_json(SOURCE)


def find_lost(before: object, after: object, where: str = "") -> Iterator[str]:
    """Yield what is not in `after`, or is something else there."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from find_lost(value, after.get(key, ...), f"{where}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield where
        for one, other in zip(before, after, strict=False):
            yield from find_lost(one, other, f"{where}[]")
    elif before != after:
        yield where


def find_wrong(value: Any, hint: Any, where: str = "") -> Iterator[str]:
    """Yield what is not of the type that the models have for it."""
    kind, args = get_origin(hint), get_args(hint)
    if kind is Union:
        found = [[*find_wrong(value, one, where)] for one in args]
        yield from found[0] if all(found) else ()
    elif kind is list and isinstance(value, list):
        for one in value:
            yield from find_wrong(one, args[0], f"{where}[]")
    elif kind is dict and isinstance(value, dict):
        for key, one in value.items():
            yield from find_wrong(one, args[1], f"{where}.{key}")
    elif is_model(value):  # of options and queries the hint says nothing
        for name, one in get_type_hints(type(value)).items():
            yield from find_wrong(getattr(value, name), one, f"{where}.{name}")
    elif not is_right(value, hint):
        yield f"{where}: {value!r} is no {hint}"


def is_model(value: object) -> bool:
    return type(value).__module__.startswith("grafana_foundation_sdk.")


def is_right(value: object, hint: Any) -> bool:
    """Return whether a single value is of a type."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return value in [one.value for one in hint]
    if hint is float:
        return type(value) in (int, float)
    return hint in (object, Any, type(value))


def test_dashboard_has_no_field_that_grafana_does_not_know(
    dashboard: Dashboard,
) -> None:
    """A name that is spelled wrong is lost, or was never there."""
    again = json.loads(JSONEncoder().encode(dashboard))

    assert set(find_lost(SOURCE, again)) == NOT_IN_THE_MODELS


def test_values_are_of_the_types_that_grafana_has(dashboard: Dashboard) -> None:
    """Also those of options and queries, of which the dashboard's model knows nothing."""
    panels: list[Any] = [p for p in dashboard.panels or () if hasattr(p, "options")]
    options = {"stat": stat.Options, "timeseries": timeseries.Options}
    for panel in panels:
        assert type(panel.options) is options[panel.type_val]
        assert {type(query) for query in panel.targets} == {prometheus.Dataquery}

    assert [*find_wrong(dashboard, Dashboard)] == []


def test_panels_say_which_version_they_are_of() -> None:
    """Without, Grafana takes a panel for one of 6.1, and changes what had other names."""
    panels = [panel for panel in SOURCE["panels"] if panel["type"] != "row"]

    assert {panel["pluginVersion"] for panel in panels} == {VERSION}
