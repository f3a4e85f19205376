"""What all parts of a store in a directory work with."""

from pathlib import Path
from typing import NamedTuple

from wheelferry.disk import Disk
from wheelferry.store.reading import Reads
from wheelferry.store.staging import Staging


class Site(NamedTuple):
    """A store's directory, and by what one runner reads and changes it.

    Attributes:
        root: The directory.
        disk: What changes it.
        reads: What reads it.
        staging: This runner's part of `staging/`.
    """

    root: Path
    disk: Disk
    reads: Reads
    staging: Staging
