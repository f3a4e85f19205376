"""What the store holds, and what it would give up.  Pure."""

from wheelferry.cli.render_gc import WHY
from wheelferry.cli.report.charts import render_bar
from wheelferry.cli.report.markup import Html, element
from wheelferry.cli.report.parts import Heading, render_section, render_table
from wheelferry.cli.report.words import format_age, format_number, format_share
from wheelferry.cli.units import count, format_bytes
from wheelferry.ops.report_plan import Aged, Report


def render_content(report: Report) -> Html:
    """Return the section of the store's content."""
    totals = report.totals
    return render_section(
        "content",
        "What the store holds",
        element(
            "p",
            f"{count(totals.records, 'entry', 'entries')} of"
            f" {count(report.packages, 'package')}, in {count(totals.packs, 'pack')} of"
            f" {format_bytes(totals.pack_bytes)} that unpack to"
            f" {format_bytes(totals.tree_bytes)}; the catalog has"
            f" {count(totals.segments, 'file')}.",
        ),
        _render_missing(report),
        _render_packages(report),
        _render_ages(report),
        _render_formats(report),
    )


def _render_missing(report: Report) -> Html:
    if not report.missing:
        return Html("")
    return element(
        "p",
        f"{count(report.missing, 'pack')} that the catalog names"
        f" {'is' if report.missing == 1 else 'are'} not there: runners get what is in"
        " them elsewhere, and bring them back with their next promotion.",
        class_="alarm",
    )


def _render_packages(report: Report) -> Html:
    whole = sum(aged.size_bytes for aged in report.ages)
    most = report.largest[0].size_bytes if report.largest else 0
    headings = (
        Heading("package"),
        Heading("size", is_number=True),
        Heading(""),
        Heading("of all", is_number=True),
        Heading("packs", is_number=True),
        Heading("last needed", is_number=True),
    )
    rows = [
        [
            held.name,
            format_bytes(held.size_bytes),
            render_bar(held.size_bytes, most),
            format_share(held.size_bytes, whole),
            format_number(held.packs),
            format_age(report.now_s - held.needed_s),
        ]
        for held in report.largest
    ]
    return render_table(
        f"The packages that take most room, {len(rows)} of {report.packages}",
        headings,
        rows,
    )


def _render_ages(report: Report) -> Html:
    most = max((aged.size_bytes for aged in report.ages), default=0)
    headings = (
        Heading("last needed"),
        Heading("size", is_number=True),
        Heading(""),
        Heading("packs", is_number=True),
    )
    rows = [
        [
            _name_age(aged),
            format_bytes(aged.size_bytes),
            render_bar(aged.size_bytes, most),
            format_number(aged.packs),
        ]
        for aged in report.ages
    ]
    return render_table("Packs by when a runner last needed them", headings, rows)


def _name_age(aged: Aged) -> str:
    if aged.to_days is None:
        return f"{aged.from_days} days ago, or more"
    if not aged.from_days:
        return f"less than {count(aged.to_days, 'day')} ago"
    return f"{aged.from_days} to {aged.to_days} days ago"


def _render_formats(report: Report) -> Html:
    headings = (Heading("format"), Heading("entries", is_number=True))
    rows = [[name, format_number(n)] for name, n in sorted(report.formats.items())]
    return render_table("Entries by the format of uv's cache", headings, rows)


def render_removal(report: Report) -> Html:
    """Return the section of what gc would do."""
    plan = report.plan
    headings = (
        Heading("pack of"),
        Heading("size", is_number=True),
        Heading("last needed", is_number=True),
        Heading("why"),
    )
    rows = [
        [
            candidate.subject or "no record names it",
            format_bytes(candidate.size_bytes),
            format_age(report.now_s - candidate.needed_s),
            "next in line" if candidate.why is None else WHY[candidate.why],
        ]
        for candidate in report.next
    ]
    victims = len(plan.victims)
    caption = (
        f"What would go now, {len(rows)} of {victims}"
        if victims
        else "What nobody has needed for the longest time: this would go first"
    )
    return render_section(
        "gc",
        "What gc removes next",
        element("p", _render_plan(report)),
        *(element("p", text, class_="alarm") for text in _find_alarms(report)),
        render_table(caption, headings, rows) if rows else "",
    )


def _render_plan(report: Report) -> str:
    plan = report.plan
    parts = []
    if plan.victims:
        parts.append(
            f"{count(len(plan.victims), 'object')} of {format_bytes(plan.victim_bytes)}"
            f" would go to the trash now."
        )
    elif plan.budget.is_unlimited:
        parts.append(
            "There is no budget, so nothing goes that a record names: set max_size,"
            " max_age or keep_free under [gc]."
        )
    else:
        parts.append("The store is within its budget; nothing would go now.")
    if plan.expired:
        parts.append(
            "Their grace is over, and their room would be free:"
            f" {count(len(plan.expired), 'object')} of {format_bytes(plan.expired_bytes)}."
        )
    if plan.resting:
        parts.append(
            "In the trash until their grace is over:"
            f" {count(len(plan.resting), 'object')} of {format_bytes(plan.resting_bytes)}."
        )
    return " ".join(parts)


def _find_alarms(report: Report) -> list[str]:
    plan = report.plan
    found = []
    if not plan.is_reached:
        beyond = format_bytes(plan.over_bytes + plan.short_bytes)
        found.append(f"The budget cannot be reached: {beyond} too much would stay.")
    if plan.hot:
        found.append(
            f"The budget is tight: {count(plan.hot, 'pack')} that would go"
            f" {'was' if plan.hot == 1 else 'were'} needed within the grace, and may be"
            " promoted again soon."
        )
    if not plan.content.is_whole:
        found.append(
            "Not all of the catalog could be read; `wheelferry verify` says what is wrong"
            " with it."
        )
    return found
