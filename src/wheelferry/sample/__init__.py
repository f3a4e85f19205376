"""Small packages made on the spot, and an index on the loopback that serves them.

For `wheelferry demo` where no package index can be reached, and for the tests.  Nothing
here reads a cache or a store, and nothing here writes to a disk.
"""

from wheelferry.sample.backend import BUILD_LOG
from wheelferry.sample.fallback import can_compile, make_fallback
from wheelferry.sample.index import Index
from wheelferry.sample.packages import Dist, make_sdist, make_wheel, source_tree
from wheelferry.sample.pages import POLICIES, PYPI, Policy
from wheelferry.sample.project import render_pyproject
from wheelferry.sample.server import Request, RequestKind

__all__ = [
    "BUILD_LOG",
    "POLICIES",
    "PYPI",
    "Dist",
    "Index",
    "Policy",
    "Request",
    "RequestKind",
    "can_compile",
    "make_fallback",
    "make_sdist",
    "make_wheel",
    "render_pyproject",
    "source_tree",
]
