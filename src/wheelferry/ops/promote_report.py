"""What a promotion did."""

from dataclasses import dataclass, field

from wheelferry.errors import CacheError, StoreError
from wheelferry.ops.left import Left
from wheelferry.store.record import Identity, Record
from wheelferry.store.view import Rejection


@dataclass(slots=True, kw_only=True)
class PromoteReport:
    """What a promotion did; sizes in bytes.

    Attributes:
        promoted: Records that are in the catalog now.
        rejected: Entries that could not be promoted, and why.
        refused: Those of them that the next promotion need not read again.
        segments: Number of segments that were written.
        bytes_written: Of packs, to the store.
        packs_shared: Number of packs that the store had already.
        late: Number of candidates that the deadline left here.
        stopped_by: What ended it half way, if anything did.
    """

    promoted: list[Record] = field(default_factory=list)
    rejected: list[Left] = field(default_factory=list)
    refused: dict[Identity, Rejection] = field(default_factory=dict)
    segments: int = 0
    bytes_written: int = 0
    packs_shared: int = 0
    late: int = 0
    stopped_by: CacheError | StoreError | None = None
