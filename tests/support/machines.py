"""Machines that a runner can have, as values."""

from wheelferry.native.judge import Machine
from wheelferry.native.needs import GLIBC


def make_glibc(*minors: int) -> tuple[str, ...]:
    """Return the versions that a glibc 2 defines which is as new as the last of these."""
    return tuple(f"GLIBC_2.{minor}" for minor in (2, 17, *minors))


MACHINE = Machine(
    arch="x86_64",
    libc=GLIBC,
    libc_version=(2, 36),
    distribution="debian 12",
    libraries={
        "libc.so.6": make_glibc(34, 36),
        "libm.so.6": make_glibc(29, 35),
        "libstdc++.so.6": ("GLIBCXX_3.4", "GLIBCXX_3.4.30", "CXXABI_1.3.13"),
        "libplain.so.1": (),
    },
)
"""Debian 12, whatever the tests run on."""
