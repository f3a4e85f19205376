"""The only code that changes a disk, syncs it, locks it, or reads the clock."""

from wheelferry.disk.durable import Disk
from wheelferry.disk.lock import FileLock, try_lock
from wheelferry.disk.workdir import WorkDir

__all__ = ["Disk", "FileLock", "WorkDir", "try_lock"]
