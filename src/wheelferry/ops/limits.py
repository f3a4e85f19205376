"""What a pull may take of the store and of the network."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Bounds of one pull; None is no bound.

    Attributes:
        max_bytes: Size of all the packs that it may read.
        rate_bytes_s: Bytes of packs in a second, over all of its threads; at least 1.
    """

    max_bytes: int | None = None
    rate_bytes_s: int | None = None


NO_LIMITS = Limits()
