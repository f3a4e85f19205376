"""Whether a machine has what a wheel needs, and why not."""

import pytest

from tests.support.machines import MACHINE
from wheelferry.native.judge import Policy, judge_needs, judge_platform

HAS = "this machine has"
MUSL = MACHINE._replace(libc="musl", libc_version=(1, 2), libraries={})


def needs(libraries: str = "", **changes: str) -> dict[str, str]:
    """Return the needs of a wheel that was built on a machine like MACHINE."""
    made = {"arch": "x86_64", "libc": "glibc", "distribution": "debian 12", **changes}
    return {key: text for key, text in {**made, "libraries": libraries}.items() if text}


@pytest.mark.parametrize(
    "libraries",
    [
        "",
        "libc.so.6(GLIBC_2.17)",
        "libc.so.6(GLIBC_2.36) libm.so.6(GLIBC_2.29) libstdc++.so.6(GLIBCXX_3.4.30)",
        "libplain.so.1",
        "libplain.so.1(PLAIN_2)",
    ],
)
def test_machine_that_has_all_takes_it(libraries: str) -> None:
    """Up to the same version; a library without versions serves all, as for ld.so."""
    assert judge_needs(needs(libraries), MACHINE, Policy.CHECKED) is None


@pytest.mark.parametrize(
    ("libraries", "reason"),
    [
        ("libc.so.6(GLIBC_2.38)", "needs GLIBC_2.38, this machine has 2.36"),
        (
            "libc.so.6(GLIBC_2.38) libm.so.6(GLIBC_2.38)",
            "needs GLIBC_2.38, this machine has 2.36",
        ),
        (
            "libstdc++.so.6(CXXABI_1.3.15,GLIBCXX_3.4.32)",
            f"needs CXXABI_1.3.15, {HAS} 1.3.13; needs GLIBCXX_3.4.32, {HAS} 3.4.30",
        ),
        (
            "libc.so.6(GLIBC_ABI_DT_RELR)",
            "needs GLIBC_ABI_DT_RELR of libc.so.6, which this machine's lacks",
        ),
        (
            "libc.so.6(GLIBC_2.17) libm.so.6(GLIBC_2.36)",
            "needs GLIBC_2.36 of libm.so.6, which this machine's lacks",
        ),
        (
            "libm.so.6(MATH_2)",
            "needs MATH_2 of libm.so.6, which this machine's lacks",
        ),
        ("libmariadb.so.3", "needs libmariadb.so.3, which this machine lacks"),
        (
            "liba.so libb.so libc.so.6 libd.so libe.so",
            "; ".join(f"needs lib{c}.so, which this machine lacks" for c in "abd"),
        ),
    ],
)
def test_what_a_machine_lacks_is_named(libraries: str, reason: str) -> None:
    """The highest that it has, too; three reasons are enough."""
    assert judge_needs(needs(libraries), MACHINE, Policy.CHECKED) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"arch": "aarch64"}, "built for aarch64, this machine is x86_64"),
        ({"libc": "musl"}, "built for musl, this machine has glibc"),
        (
            {"cpu": "x86-64-v3"},
            "needs something that this version of wheelferry does not know: 'cpu'",
        ),
    ],
)
def test_other_machines_are_told_apart(changes: dict[str, str], reason: str) -> None:
    """Before any library is looked for: theirs are others."""
    found = judge_needs(needs("libx.so", **changes), MACHINE, Policy.CHECKED)

    assert found == reason


def test_musl_does_not_take_what_glibc_built() -> None:
    """uv would: `linux_x86_64` says nothing of it."""
    assert judge_needs(needs(), MUSL, Policy.CHECKED) == (
        "built for glibc, this machine has musl"
    )
    assert judge_needs(needs(libc=""), MUSL, Policy.CHECKED) is None


def test_record_without_needs_is_not_trusted() -> None:
    """Whoever wrote it did not look."""
    for policy in (Policy.CHECKED, Policy.SAME_DISTRO):
        assert judge_needs({}, MACHINE, policy) == (
            "built natively, and its record does not say what it needs"
        )


@pytest.mark.parametrize("policy", Policy)
def test_policy_never_takes_nothing(policy: Policy) -> None:
    """And the others take what fits."""
    reason = judge_needs(needs("libc.so.6(GLIBC_2.17)"), MACHINE, policy)

    assert (reason is not None) == (policy is Policy.NEVER)


@pytest.mark.parametrize(
    ("built_on", "here", "reason"),
    [
        ("debian 12", "debian 12", None),
        (
            "ubuntu 24.04",
            "debian 12",
            "built on ubuntu 24.04, this machine has debian 12 (pull.native)",
        ),
        ("debian 13", "debian 12", "built on debian 13, this machine has debian 12"),
        ("", "debian 12", "built on an unknown distribution, this machine has"),
        ("", "", None),
    ],
)
def test_same_distro_is_the_release(
    built_on: str, here: str, reason: str | None
) -> None:
    """ID and VERSION_ID of both; what it needs is looked at all the same."""
    machine = MACHINE._replace(distribution=here)
    found = judge_needs(needs(distribution=built_on), machine, Policy.SAME_DISTRO)

    assert (found or "").startswith(reason or "nothing") or found is reason
    assert judge_needs(needs("libx.so"), MACHINE, Policy.SAME_DISTRO) is not None


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("linux_x86_64", None),
        ("manylinux1_x86_64", None),
        ("manylinux2014_x86_64", None),
        ("manylinux_2_36_x86_64", None),
        ("manylinux_2_38_x86_64.manylinux_2_17_x86_64", None),
        (
            "manylinux_2_38_x86_64",
            "needs glibc 2.38 by its tag, this machine has 2.36",
        ),
        ("manylinux_3_0_x86_64", "needs glibc 3.0 by its tag, this machine has 2.36"),
        ("manylinux_2_17_aarch64", "built for aarch64, this machine is x86_64"),
        ("linux_armv7l", "built for armv7l, this machine is x86_64"),
        ("musllinux_1_2_x86_64", "built for musl, this machine has glibc"),
        ("win_amd64", "built for win_amd64, this machine is linux_x86_64"),
        (
            "macosx_11_0_arm64",
            "built for macosx_11_0_arm64, this machine is linux_x86_64",
        ),
    ],
)
def test_tag_is_followed(tag: str, reason: str | None) -> None:
    """As PEP 600 and 656 have it; of several in one name, one is enough."""
    assert judge_platform(tag, MACHINE) == reason


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("musllinux_1_1_x86_64", True),
        ("musllinux_1_2_x86_64", True),
        ("musllinux_1_3_x86_64", False),
        ("manylinux_2_5_x86_64", False),
        ("linux_x86_64", True),
    ],
)
def test_musl_follows_its_own_tags(tag: str, *, fits: bool) -> None:
    """A machine whose musl does not tell its version takes none."""
    assert (judge_platform(tag, MUSL) is None) == fits
    unknown = MUSL._replace(libc_version=(0, 0))
    assert (judge_platform(tag, unknown) is None) == (fits and tag == "linux_x86_64")
