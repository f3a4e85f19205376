"""Charts as SVG in the page: bars alone, their words are HTML around them.

So they take any width, and letters stay as large as they are.  Each chart has its numbers
in a table too.  Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from wheelferry.cli.report.markup import Html, element, join

_STEP: Final = 10
_GAP: Final = 2
_HEIGHT: Final = 100
_LEAST: Final = 1e-9
"""Less than any byte or second: what is smaller has no height."""


class Column(NamedTuple):
    """Two amounts of one time: one above the line, one below; `title` has both in words."""

    title: str
    above: float
    below: float


class Legend(NamedTuple):
    """What the two amounts are, and the largest of each in words."""

    above: str
    above_most: str
    below: str
    below_most: str


def render_bar(part: float, whole: float) -> Html:
    """Return a bar of a part's length, to stand beside its number."""
    width = 100 * min(1.0, part / whole) if whole > 0 else 0.0
    return element(
        "svg",
        element("rect", x=0, y=0, width=f"{width:.1f}", height=8),
        class_="bar",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def render_columns(
    columns: Sequence[Column], legend: Legend, *, name: str, ends: tuple[str, str]
) -> Html:
    """Return a chart of columns, above and below a line, on one scale.

    Args:
        columns: One for each time.
        legend: What they are.
        name: Of the chart, for those who do not see it.
        ends: The first and the last time.
    """
    most_above = max((c.above for c in columns), default=0.0)
    most_below = max((c.below for c in columns), default=0.0)
    scale = _HEIGHT / max(most_above + most_below, _LEAST)
    line = most_above * scale
    bars = join(*(_column(n, c, line, scale) for n, c in enumerate(columns)))
    width = max(1, len(columns)) * _STEP
    svg = element(
        "svg",
        bars,
        element("line", x1=0, x2=width, y1=f"{line:.2f}", y2=f"{line:.2f}"),
        class_="columns",
        viewBox=f"0 0 {width} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{name}, from {ends[0]} to {ends[1]}; the table below has the numbers",
    )
    return element(
        "div",
        _key("above", legend.above, legend.above_most),
        svg,
        _key("below", legend.below, legend.below_most),
        element(
            "div",
            element("span", ends[0]),
            element("span", ends[1]),
            class_="ends",
            aria_hidden="true",
        ),
        class_="chart",
    )


def _column(number: int, column: Column, line: float, scale: float) -> Html:
    x, width = number * _STEP + _GAP / 2, _STEP - _GAP
    above, below = column.above * scale, column.below * scale
    # All of the column's height, so that a pointer need not hit a small bar.
    target = element(
        "rect", class_="target", x=number * _STEP, y=0, width=_STEP, height=_HEIGHT
    )
    return element(
        "g",
        element("title", column.title),
        target,
        element(
            "rect",
            class_="above",
            x=x,
            y=f"{line - above:.2f}",
            width=width,
            height=f"{above:.2f}",
        ),
        element(
            "rect",
            class_="below",
            x=x,
            y=f"{line:.2f}",
            width=width,
            height=f"{below:.2f}",
        ),
    )


def _key(kind: str, words: str, most: str) -> Html:
    swatch = element(
        "svg",
        element("rect", x=0, y=0, width=10, height=10, class_=kind),
        class_="swatch",
        viewBox="0 0 10 10",
        aria_hidden="true",
    )
    return element("p", swatch, f" {words}; at most {most}", class_="key")
