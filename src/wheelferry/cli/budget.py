"""The store's budget: the settings of commands that keep to it, or show it."""

from typing import Final

from wheelferry.config.model import GcConfig
from wheelferry.ops.gc_plan import Budget

BUDGET: Final = ("gc.max_size", "gc.max_age", "gc.keep_free", "gc.grace")


def make_budget(config: GcConfig) -> Budget:
    """Return the budget of a section of the configuration."""
    return Budget(
        max_bytes=config.max_bytes,
        max_age_s=config.max_age_s,
        keep_free_bytes=config.keep_free_bytes,
        grace_s=config.grace_s,
    )
