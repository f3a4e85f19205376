"""What the four sdists are built with, besides gcc and Python's headers.

Standard library only: `.ci/run` asks with any Python.
"""

import shutil
from pathlib import Path

PACKAGES = ("libmariadb-dev", "libfreetype-dev", "tcc")
HOW_TO = f"cannot build the sdists; run: apt-get install -y {' '.join(PACKAGES)}"


def find_missing() -> list[str]:
    """Return the Debian packages that are missing."""
    has_freetype = Path("/usr/include/freetype2/ft2build.h").exists()
    has_mariadb = shutil.which("mariadb_config") or shutil.which("mysql_config")
    has_all = (has_mariadb, has_freetype, shutil.which("tcc"))
    found = dict(zip(PACKAGES, has_all, strict=True))
    return [package for package, is_here in found.items() if not is_here]
