"""A package index in the guest: `python -m tests.nfs.shelf PORT NAME[:MIB] ...`.

Has version 1.0 of each: a wheel with so much that cannot be compressed, or an sdist if no
size is given.  Writes what `tests.nfs.report.index` does.
"""

import random
import sys

from tests.nfs.report.index import serve
from wheelferry.sample import Dist, make_sdist, make_wheel


def make(spec: str) -> Dist:
    """Make one package."""
    name, _, mib = spec.partition(":")
    if not mib:
        return make_sdist(name)
    module = name.replace("-", "_")
    noise = random.Random(name).randbytes(int(float(mib) * (1 << 20)))
    files = {f"{module}/__init__.py": b"", f"{module}/noise.bin": noise}
    return make_wheel(name, files=files)


if __name__ == "__main__":
    serve(("127.0.0.1", int(sys.argv[1])), tuple(map(make, sys.argv[2:])))
