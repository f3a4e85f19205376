"""The page: hostile names stay text, nothing is loaded, and the numbers are right."""

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wheelferry
from tests.support.reports import (
    TODAY,
    Page,
    make_day,
    make_figures,
    make_pack,
    make_report,
)
from wheelferry.cli.report.charts import Column, Legend, render_bar, render_columns
from wheelferry.cli.report.markup import Html, element, escape, join
from wheelferry.cli.report.page import render_page
from wheelferry.cli.report.words import format_age, format_day, format_net
from wheelferry.ops.figures import PackageSums
from wheelferry.ops.report_plan import Place, Report

STYLE = (Path(wheelferry.__file__).parent / "cli/report/style.css").read_text()

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><script>1</script>",
    "</style><script>1</script>",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "a\x00b\x1b[31m\x07",
    "x\ny",
)


def page_of(report: Report) -> Page:
    """Return the page, taken apart."""
    return Page(render_page(report, style=STYLE))


def full(name: str) -> Report:
    """Return a report that shows a name wherever one can be."""
    day = make_day(
        TODAY,
        PackageSums(name=name, pulled=1, builds=1, build_s=5.0, longest_s=5.0),
        pulls=3,
        pulled_bytes=7,
        avoided_bytes=9,
        build_s=5.0,
        builds=1,
    )
    pack = make_pack(1, days=50, subject=f"{name} 1.0", format_ids=frozenset({name}))
    return make_report(
        [pack, make_pack(2, size_bytes=0, is_missing=True)],
        [make_figures(name, day)],
        names={pack.digest: name},
        place=Place(store=name, store_id=name, runner=name, version=name),
        max_age_s=24 * 3600,
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_text(name: str) -> None:
    """Wherever it stands: the page has the elements that it has with any name."""
    page, plain = page_of(full(name)), page_of(full("qqq"))
    assert page.tags == plain.tags
    assert [a for a, _ in page.attributes] == [a for a, _ in plain.attributes]
    assert page.tags["script"] == page.tags["img"] == 0
    if name.isprintable():
        assert page.text.count(name) == plain.text.count("qqq")


@given(st.text(max_size=50))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    """If it can be printed; else nothing that does not print comes out."""
    found = Page(element("p", text, title=text))
    shown = found.text.removeprefix(" ")
    assert found.tags == {"p": 1}
    assert shown == found.values("title")[0]
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


def test_markup_is_escaped_once() -> None:
    """What is markup already stays so, what is put together of both too."""
    inner = element("b", "1 < 2")
    assert element("p", inner, " & ") == "<p><b>1 &lt; 2</b> &amp; </p>"
    assert join("<", Html("<br>")) == "&lt;<br>"
    assert escape("'\"") == "&#x27;&quot;"
    assert element("a", class_="x", aria_label=None, tabindex=0) == (
        '<a class="x" tabindex="0"></a>'
    )


def test_page_asks_nobody_for_anything() -> None:
    """No script, no handler, no address but that of an icon that there is not."""
    source = render_page(full("qqq"), style=STYLE)
    page = Page(source)
    for tag in ("script", "img", "iframe", "object", "form", "a", "base", "video"):
        assert page.tags[tag] == 0
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.values("href") == ["data:,"]
    assert page.values("src") == page.values("style") == []
    assert "://" not in source
    assert not re.search(r"url\(|@import|expression", STYLE)


def test_policy_lets_the_browser_use_this_style_sheet_alone() -> None:
    """By its hash: a second line of defence, should something be escaped wrongly."""
    source = render_page(full("qqq"), style=STYLE)
    (style,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    assert style == STYLE
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [c for c in Page(source).values("content") if "default-src" in c]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy


def test_page_can_be_read_by_those_who_do_not_see_it() -> None:
    """A language, headings in order, captions, scopes, and names of charts."""
    source = render_page(full("qqq"), style=STYLE)
    page = Page(source)
    assert source.startswith('<!doctype html>\n<html lang="en">')
    levels = [int(n) for n in re.findall(r"<h([1-6])", source)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert levels.count(1) == 1
    assert page.tags["table"] == page.tags["caption"] > 4
    assert len(page.values("scope")) == page.tags["th"]
    assert "<th></th>" not in source
    images = re.findall(r'<svg[^>]* role="img"[^>]*>', source)
    assert len(images) == 2
    assert all("aria-label=" in image for image in images)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_net_and_a_loss_are_said_as_such() -> None:
    """Also that something is not counted."""
    gain = make_figures("r", make_day(TODAY, avoided_bytes=5000, pulled_bytes=1000))
    words = page_of(make_report(figures=[gain])).words
    assert "3.9 KiB less came from an index" in words
    assert "oss in bytes" not in words
    assert "Not counted" not in words

    day = make_day(
        TODAY,
        avoided_bytes=1000,
        pulled_bytes=5000,
        unsized=2,
        untimed=1,
        ahead_bytes=7,
    )
    words = page_of(make_report(figures=[make_figures("r", day)])).words
    assert "A loss in bytes: 3.9 KiB more went over the share" in words
    assert "Net traffic saved \u22123.9 KiB a loss" in words
    assert "Not counted, so that the true figures are higher: 2 entries" in words
    assert "and 1 build that nobody timed" in words
    assert "7 B of what was avoided came before any job asked" in words


def test_builds_that_nobody_timed_did_not_take_nothing() -> None:
    """Where none was seen, the time is unknown; where some were, it is at least theirs."""
    unseen = make_figures("r", make_day(TODAY, builds=2, untimed=2))
    words = page_of(make_report(figures=[unseen])).words
    assert "Build time avoided unknown" in words
    some = make_figures("r", make_day(TODAY, builds=2, untimed=1, build_s=9.0))
    words = page_of(make_report(figures=[some])).words
    assert "Build time avoided 9.0 s where they were seen" in words


def test_store_without_figures_still_has_a_page() -> None:
    """It says that nobody has told anything, and draws no empty chart."""
    page = page_of(make_report([make_pack(1)]))
    assert "No runner has told the store yet what it did" in page.words
    assert "Slowest builds" not in page.words
    assert "p1" in page.words
    assert page.tags["figure"] == 0
    assert "img" not in page.values("role")


def test_empty_store_has_a_page() -> None:
    """With nothing in it."""
    words = page_of(make_report()).words
    assert "0 entries of 0 packages" in words
    assert "There is no budget" in words


def test_what_gc_would_do_is_said_with_its_budget() -> None:
    """What goes, that nothing does, or that it does not suffice."""
    packs = [make_pack(1, days=50), make_pack(2, days=60)]
    words = page_of(make_report(packs, max_age_s=55 * 24 * 3600)).words
    assert "1 object of 1000 B would go to the trash now" in words
    assert "p2 1.0 1000 B 60 days ago not needed for too long" in words

    words = page_of(make_report(packs, max_bytes=1 << 20)).words
    assert "The store is within its budget" in words
    assert "p2 1.0 1000 B 60 days ago next in line" in words

    words = page_of(make_report(packs, keep_free_bytes=1 << 50)).words
    assert "The budget cannot be reached" in words


def test_missing_packs_are_told() -> None:
    """They are what an admin has to know, and no part of the size."""
    packs = [make_pack(n, size_bytes=0, is_missing=True) for n in (1, 2)]
    assert (
        "2 packs that the catalog names are not there"
        in page_of(make_report(packs)).words
    )


@given(st.lists(st.tuples(st.floats(0, 1e15), st.floats(0, 1e15)), max_size=40))
def test_columns_stay_within_the_chart(pairs: list[tuple[float, float]]) -> None:
    """Whatever the numbers are; one scale for both, so that they can be compared."""
    columns = [Column("", above, below) for above, below in pairs]
    legend = Legend("a", "1", "b", "2")
    source = render_columns(columns, legend, name="n", ends=("x", "y"))
    pattern = (
        r'class="(above|below)" x="[\d.]+" y="([-\d.]+)" width="8" height="([\d.]+)"'
    )
    bars = re.findall(pattern, source)
    assert len(bars) == 2 * len(pairs)
    most = max((a for a, _ in pairs), default=0) + max((b for _, b in pairs), default=0)
    for (kind, y, height), value in zip(
        bars, [v for pair in pairs for v in pair], strict=True
    ):
        assert kind in ("above", "below")
        assert float(y) >= -0.02
        assert float(y) + float(height) <= 100.02
        assert float(height) == pytest.approx(value / max(most, 1e-9) * 100, abs=0.02)


def test_bar_is_as_long_as_its_part() -> None:
    """Of the largest; nothing of nothing is no crash."""
    assert 'width="25.0"' in render_bar(1, 4)
    assert 'width="100.0"' in render_bar(9, 4)
    assert 'width="0.0"' in render_bar(0, 0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "today"), (86399, "today"), (86400, "1 day ago"), (1e8, "1,157 days ago")],
)
def test_ages_are_in_days(seconds: float, words: str) -> None:
    """It is not known better; a clock that is ahead makes none of the future."""
    assert format_age(seconds) == words


def test_sizes_below_nothing_have_a_sign() -> None:
    """And the unit that they have without."""
    assert format_net(-(5 << 30)) == "\u22125.0 GiB"
    assert format_net(5 << 30) == "5.0 GiB"
    assert format_day(0) == "1970-01-01"
