"""A store that is verified, and mended."""

from tests.support.tiers import Ferry
from wheelferry.disk import Disk
from wheelferry.ops.verify import EVERYTHING, VerifyReport, verify_store
from wheelferry.ops.verify_fix import FixReport, fix_store
from wheelferry.ops.verify_scope import Scope
from wheelferry.store.reading import Reads


def mend(
    ferry: Ferry,
    disk: Disk | None = None,
    *,
    reads: Reads | None = None,
    scope: Scope = EVERYTHING,
) -> tuple[VerifyReport, FixReport]:
    """Verify a runner's store, and do what follows from it."""
    with ferry.open(disk, reads=reads) as tiers:
        found = verify_store(tiers.store, tiers.emit, scope=scope)
        return found, fix_store(tiers, found)
