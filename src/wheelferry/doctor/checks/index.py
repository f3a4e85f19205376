"""Does an index let uv cache its files?

Pure.  uv keeps no pointer of a file that comes with `Cache-Control: no-store`, unless it
is told otherwise; so seen with each uv that `tests/uv/test_doctor_uv.py` runs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wheelferry.doctor.checks.verdict import error, info, ok, warning
from wheelferry.ops.finding import Finding
from wheelferry.uvcache.formats import Release

OVERRIDE: Final = '`cache-control = { files = "max-age=365000000, immutable" }`'
OVERRIDE_FROM: Final[Release] = (0, 9, 30)
"""The oldest uv that was seen to obey `cache-control`; 0.6.17 was seen not to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    """One index.

    Attributes:
        url: Without credentials.
        origin: What names it.
        override: `cache-control` that uv is told to go by.
        cache_control: What came with a file; None if no file was found.
        trouble: Why not.
    """

    url: str
    origin: str
    override: str
    cache_control: str | None
    trouble: str


def judge_indexes(found: Sequence[IndexFacts]) -> Iterator[Finding]:
    """Yield a finding for each; one if there is none."""
    if not found:
        yield info(
            "index",
            "uv",
            "no index was asked: uv is told of none here",
            hint="`wheelferry doctor --index URL` asks one",
        )
    for facts in found:
        yield _judge(facts)


def _judge(facts: IndexFacts) -> Finding:
    if facts.cache_control is None:
        return warning(
            "index",
            facts.url,
            f"no file of it could be asked for: {facts.trouble}",
            meaning="whether uv may cache its files is not known",
            hint="`wheelferry doctor --index URL/NAME/` asks for the page of the package"
            " NAME; `curl -sI` on a file shows Cache-Control",
        )
    if not _forbids(facts.cache_control):
        said = facts.cache_control or "none"
        return ok("index", facts.url, f"Cache-Control of files: {said}")
    if facts.override and not _forbids(facts.override):
        return ok(
            "index",
            facts.url,
            f"it sends no-store, but {facts.origin} tells uv: {facts.override}",
        )
    return error(
        "index",
        facts.url,
        f"it sends files with Cache-Control: {facts.cache_control}",
        meaning="uv caches no wheel of this index: nothing can be promoted, and each job"
        " downloads it again",
        hint="have the index, or the proxy before it, send Cache-Control: max-age=..., or"
        f" put {OVERRIDE} into its [[index]] in uv.toml (seen to work from uv"
        f" {'.'.join(map(str, OVERRIDE_FROM))} on)",
    )


def _forbids(cache_control: str) -> bool:
    words = cache_control.lower().split(",")
    return any(word.strip().partition("=")[0] == "no-store" for word in words)
