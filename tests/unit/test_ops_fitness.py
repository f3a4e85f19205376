"""Which of the store's records a machine can use."""

from collections.abc import Iterator, Mapping

import pytest

from tests.support.machines import MACHINE
from tests.unit.test_ops_choose import light
from wheelferry.native.judge import Policy
from wheelferry.ops.fitness import Fitness
from wheelferry.uvcache.entry import Kind

NATIVE = "cp311-cp311-linux_x86_64"
TOO_NEW = "arch\tx86_64\nlibraries\tlibc.so.6(GLIBC_2.38)"


def refuse(
    kind: Kind, tags: str, needs: str = "", policy: Policy = Policy.CHECKED
) -> str | None:
    """Return what is said of one record."""
    record = light(needs=needs)._replace(kind=kind.value, tags=tags)
    return Fitness(MACHINE, policy).refuse(record)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("policy", Policy)
def test_pure_one_passes(kind: Kind, policy: Policy) -> None:
    """Whoever made it, and whatever the policy."""
    assert refuse(kind, "py3-none-any", policy=policy) is None
    assert refuse(kind, "1-cp311-none-any", policy=policy) is None


@pytest.mark.parametrize("kind", Kind)
def test_needs_are_asked_of_built_wheels_only(kind: Kind) -> None:
    """A downloaded wheel follows its tag: any index would have given it."""
    assert (refuse(kind, NATIVE) is None) == (not kind.is_built)
    reason = refuse(kind, NATIVE, TOO_NEW)
    assert reason == (
        "needs GLIBC_2.38, this machine has 2.36" if kind.is_built else None
    )
    assert (refuse(kind, NATIVE, policy=Policy.NEVER) is None) == (not kind.is_built)


@pytest.mark.parametrize("kind", Kind)
def test_tag_counts_for_all(kind: Kind) -> None:
    """uv compares it, too."""
    tags = "cp311-cp311-manylinux_2_38_x86_64"
    assert refuse(kind, tags, "arch\tx86_64") == (
        "needs glibc 2.38 by its tag, this machine has 2.36"
    )


def test_one_answer_serves_all_that_are_alike() -> None:
    """A pull asks for each record of the store, and a machine is looked at once."""

    class Counting(Mapping[str, tuple[str, ...]]):
        asked = 0

        def __getitem__(self, name: str) -> tuple[str, ...]:
            self.asked += 1
            return MACHINE.libraries[name]

        def __iter__(self) -> Iterator[str]:
            raise NotImplementedError

        def __len__(self) -> int:
            raise NotImplementedError

    libraries = Counting()
    fitness = Fitness(MACHINE._replace(libraries=libraries), Policy.CHECKED)
    record = light(needs=TOO_NEW)._replace(kind="git", tags=NATIVE)

    assert len({fitness.refuse(record) for _ in range(9)}) == 1
    assert libraries.asked == 1
