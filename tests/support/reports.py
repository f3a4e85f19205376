"""Stores and fleets for pages, and what a browser would make of one."""

import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any, Final

from wheelferry.ops.figures import Day, PackageSums, RunnerFigures, Sums
from wheelferry.ops.gc_facts import Content, Pack
from wheelferry.ops.gc_plan import Budget, plan_gc
from wheelferry.ops.report_plan import Place, Report, plan_report
from wheelferry.store.record import Digest
from wheelferry.store.view_rows import Totals

DAY_S: Final = 24 * 3600
TODAY: Final = 20_000
NOW_S: Final = TODAY * DAY_S + 3600

_VOID: Final = frozenset({"meta", "link"})


def make_pack(number: int, *, days: float = 0.0, **changes: Any) -> Pack:
    """Return a pack that was needed so many days ago."""
    fields: dict[str, Any] = {
        "digest": Digest(f"{number:064x}"),
        "size_bytes": 1000,
        "needed_s": int(NOW_S - days * DAY_S),
        "subject": f"p{number} 1.0",
        "format_ids": frozenset({"wheels-v6/map5"}),
    }
    return Pack(**(fields | changes))


def make_figures(runner: str, *days: Day) -> RunnerFigures:
    """Return what a runner did."""
    return RunnerFigures(runner=runner, days=days)


def make_day(day: int, *packages: PackageSums, **sums: float) -> Day:
    """Return what was done on a day."""
    return Day(day=day, sums=Sums(**sums), packages=packages)  # type: ignore[arg-type]


def make_report(
    packs: Sequence[Pack] = (),
    figures: Sequence[RunnerFigures] = (),
    *,
    names: dict[Digest, str] | None = None,
    place: Place | None = None,
    **budget: float,
) -> Report:
    """Return a report of a store that has these packs, and whose runners did that."""
    content = Content(
        packs=tuple(packs), orphans=(), trash=(), free_bytes=1 << 40, now_s=NOW_S
    )
    return plan_report(
        place
        or Place(store="/mnt/wheels", store_id="4" * 32, runner="r1", version="1.2.3"),
        Totals(
            segments=1,
            records=len(packs),
            packs=len(packs),
            pack_bytes=content.object_bytes,
            tree_bytes=3 * content.object_bytes,
        ),
        plan_gc(content, Budget(**budget)),  # type: ignore[arg-type]
        names=names or {p.digest: p.subject.partition(" ")[0] for p in packs},
        formats={"wheels-v6/map5": len(packs)},
        figures=figures,
    )


class Page(HTMLParser):
    """A page as a browser takes it apart.

    Attributes:
        tags: How many elements there are of each kind.
        attributes: All that elements have, in order.
        text: What is to be read, without the style sheet.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element, and remember that it is open."""
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element that has no content."""
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last, and nothing else."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what is to be read."""
        if "style" not in self._open:
            self.text += f" {data}"

    def values(self, name: str) -> list[str]:
        """Return all values of an attribute."""
        return [value for found, value in self.attributes if found == name]

    @property
    def words(self) -> str:
        """The text, with single blanks."""
        return re.sub(r"\s+", " ", self.text)
