"""What `wheelferry demo` installs where no package index can be reached."""

import hashlib
import shutil
import sysconfig
from pathlib import Path

from wheelferry.sample.packages import Dist, make_sdist, make_wheel

_DATA_FILES = 40
_DATA_FILE_BYTES = 20_000


def can_compile() -> bool:
    """Return whether an extension can be built for the running interpreter."""
    header = Path(sysconfig.get_path("include"), "Python.h")
    return shutil.which("gcc") is not None and header.exists()


def make_fallback(*, native: bool) -> tuple[Dist, ...]:
    """Make a few packages of each kind, about 1 MB, for an index of our own.

    Args:
        native: Whether one of the sdists has a C module, see `can_compile`.
    """
    data = {
        f"sample_data/{number:02}.bin": hashlib.shake_256(bytes([number])).digest(
            _DATA_FILE_BYTES
        )
        for number in range(_DATA_FILES)
    }
    data["sample_data/__init__.py"] = b""
    dists = [
        make_wheel("sample-data", files=data),
        make_wheel("sample-tool", requires=["sample-data"]),
        make_sdist("sample-source"),
    ]
    if native:
        dists.append(make_sdist("sample-native", extension=True))
    return tuple(dists)
