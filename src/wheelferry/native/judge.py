"""Whether a machine has what a wheel needs: pure."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from wheelferry.native.needs import (
    Needs,
    UnknownNeeds,
    Versions,
    decode_needs,
    parse_version,
)
from wheelferry.native.platforms import Platform, parse_platforms

_MAX_NAMED = 3


class Policy(StrEnum):
    """Which natively built wheels are restored."""

    CHECKED = "checked"
    """Those that need nothing that this machine lacks."""
    SAME_DISTRO = "same-distro"
    """Of these, the ones built on the distribution release of this machine."""
    NEVER = "never"
    """None."""


class Machine(NamedTuple):
    """What a machine has.

    Attributes:
        arch: As in a platform tag, such as `x86_64`.
        libc: GLIBC or MUSL.
        libc_version: Its version, (0, 0) if that is not known.
        distribution: ID and VERSION_ID of os-release(5), such as `debian 12`.
        libraries: The libraries that the dynamic loader finds by itself, by soname,
            each with the versions of symbols that it defines; it may be looked up late.
    """

    arch: str
    libc: str
    libc_version: tuple[int, int]
    distribution: str
    libraries: Mapping[str, Versions]


def judge_platform(tag: str, machine: Machine) -> str | None:
    """Return why no wheel with that platform tag, not `any`, is for this machine."""
    platforms = tuple(parse_platforms(tag))
    if not platforms:
        return f"built for {tag}, this machine is linux_{machine.arch}"
    reasons = [_judge_platform(platform, machine) for platform in platforms]
    return None if None in reasons else reasons[0]


def judge_needs(
    needs: Mapping[str, str], machine: Machine, policy: Policy
) -> str | None:
    """Return why a natively built wheel is not to be restored here, or None.

    `needs` are those of its record: hostile, and empty if its writer had none.
    """
    if policy is Policy.NEVER:
        return "built natively, and none such is restored here (pull.native)"
    if not needs:
        return "built natively, and its record does not say what it needs"
    try:
        decoded = decode_needs(needs)
    except UnknownNeeds as exc:
        return f"needs something that this version of wheelferry does not know: {exc}"
    if policy is Policy.SAME_DISTRO and decoded.distribution != machine.distribution:
        built_on = decoded.distribution or "an unknown distribution"
        return (
            f"built on {built_on}, this machine has"
            f" {machine.distribution or 'an unknown one'} (pull.native)"
        )
    reasons = dict.fromkeys(_find_missing(decoded, machine))
    return "; ".join(list(reasons)[:_MAX_NAMED]) or None


def _judge_platform(platform: Platform, machine: Machine) -> str | None:
    if platform.arch != machine.arch:
        return f"built for {platform.arch}, this machine is {machine.arch}"
    if not platform.libc:
        return None
    if platform.libc != machine.libc:
        return f"built for {platform.libc}, this machine has {machine.libc}"
    if machine.libc_version < platform.version:
        return (
            f"needs {platform.libc} {_spell(platform.version)} by its tag, this machine"
            f" has {_spell(machine.libc_version)}"
        )
    return None


def _find_missing(needs: Needs, machine: Machine) -> Iterator[str]:
    if needs.arch != machine.arch:
        yield f"built for {needs.arch}, this machine is {machine.arch}"
        return  # its libraries are others
    if needs.libc not in ("", machine.libc):
        yield f"built for {needs.libc}, this machine has {machine.libc}"
        return
    lacking: list[tuple[str, str]] = []
    there: set[str] = set()
    for name, versions in needs.libraries:
        defined = machine.libraries.get(name)
        if defined is None:
            yield f"needs {name}, which this machine lacks"
        elif defined:  # one without versions serves all, with a warning by the loader
            there.update(defined)
            lacking += [(name, text) for text in versions if text not in defined]
    for name, version in lacking:
        yield _describe(name, version, there)


def _describe(name: str, version: str, there: Collection[str]) -> str:
    """Say that `name` lacks a version; `there` has those of it and its companions."""
    series, number = parse_version(version)
    numbers = [has for other, has in map(parse_version, there) if other == series]
    if number and numbers and max(numbers) < number:
        return f"needs {version}, this machine has {_spell(max(numbers))}"
    return f"needs {version} of {name}, which this machine's lacks"


def _spell(number: tuple[int, ...]) -> str:
    return ".".join(map(str, number))
