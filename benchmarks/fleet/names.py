"""What ways and scenarios are called: in samples, tables, verdicts and plots."""

from enum import StrEnum


class Way(StrEnum):
    """How a fleet shares, in the order of the tables."""

    FLOOR = "floor"
    WHOLE = "wheelferry"
    LOCK = "wheelferry, with the lock"
    DAEMON = "wheelferry, with the daemon"
    TAR = "tar.zst"
    RSYNC = "rsync"
    CP = "cp -a"
    SHARED_CACHE = "uv's cache on the share"
    PROXY = "index proxy"
    NO_SHARING = "no sharing"


OURS = (Way.WHOLE, Way.LOCK, Way.DAEMON)


class Scenario(StrEnum):
    """What was there before, and what changed, in the order of the tables."""

    COLD = "cold fleet"
    WARM = "warm fleet"
    JOINS = "new runner joins"
    BUMP = "one version bump"
    ADDED = "one wheel added"
    NOTHING = "nothing new"
