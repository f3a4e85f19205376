"""An interpreter of this runner, and which wheels it can use.  Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

# Compiled when it is used: most pulls are asked for no version.
_REQUEST = r"(?:(cpython|pypy)[@-]?)?(\d+(?:\.\d+){0,2})?t?"


class Interpreter(NamedTuple):
    """One interpreter.

    Attributes:
        environment: Values of the variables in markers (PEP 508).
        ranks: Tags of the wheels that it can use, 0 the best.
    """

    environment: Mapping[str, str]
    ranks: Mapping[str, int]

    @property
    def version(self) -> str:
        """Such as `3.12.4`."""
        return self.environment["python_full_version"]

    def __str__(self) -> str:
        """Return it for people: `CPython 3.12.4`."""
        kind = self.environment["platform_python_implementation"]
        return f"{kind} {self.version}"

    def rank(self, tags: str) -> int | None:
        """Return how well a wheel with these tags fits, 0 the best; None if not."""
        found = [self.ranks[tag] for tag in expand_tags(tags) if tag in self.ranks]
        return min(found, default=None)


class Request(NamedTuple):
    """Which Python is asked for, as in `--python` or `.python-version`.

    Attributes:
        implementation: `cpython`, `pypy`, or "" for any.
        release: Numbers that its version begins with; may be empty.
    """

    implementation: str
    release: tuple[int, ...]

    def accepts(self, python: Interpreter) -> bool:
        """Return whether an interpreter is what is asked for."""
        kind = python.environment["platform_python_implementation"].lower()
        if self.implementation and kind != self.implementation:
            return False
        release = re.findall(r"\d+", python.version)[: len(self.release)]
        return tuple(map(int, release)) == self.release


def parse_request(text: str) -> Request | None:
    """Return what `3`, `3.12`, `3.12.4`, `pypy3.10` or `cpython@3.12` ask for.

    None for anything else, a path above all: what a job names is not run.
    """
    match = re.fullmatch(_REQUEST, text.strip().lower())
    if match is None or not (match[1] or match[2]):
        return None
    release = tuple(map(int, match[2].split("."))) if match[2] else ()
    return Request(match[1] or "", release)


@lru_cache(maxsize=4096)
def expand_tags(tags: str) -> frozenset[str]:
    """Return the tags that `py2.py3-none-any` stands for, without a build tag."""
    parts = tags.split("-")[-3:]
    if len(parts) != 3:
        return frozenset()
    pythons, abis, platforms = (part.split(".") for part in parts)
    if len(pythons) * len(abis) * len(platforms) > 1024:
        return frozenset()
    return frozenset(
        f"{python}-{abi}-{platform}"
        for python in pythons
        for abi in abis
        for platform in platforms
    )


def build_number(tags: str) -> tuple[int, str]:
    """Return a wheel's build tag as it is compared; one without comes before all."""
    build = tags.rsplit("-", 3)[0] if tags.count("-") == 3 else ""
    digits = re.match(r"\d*", build)
    number = digits[0] if digits else ""
    return (int(number[:9]) if number else -1, build[len(number) :])


def pick_best(python: Interpreter, tags: Iterable[str]) -> str | None:
    """Return which of some wheels' tags an installer chooses; None if none fits."""
    best: tuple[int, tuple[int, str]] | None = None
    chosen = None
    for candidate in tags:
        rank = python.rank(candidate)
        if rank is None:
            continue
        key = (-rank, build_number(candidate))
        if best is None or key > best:
            best, chosen = key, candidate
    return chosen


def narrow(
    pythons: Sequence[Interpreter], requests: Sequence[Request]
) -> list[Interpreter]:
    """Return those that are asked for, in their order; all if nothing is."""
    if not requests:
        return list(pythons)
    return [p for p in pythons if any(r.accepts(p) for r in requests)]
