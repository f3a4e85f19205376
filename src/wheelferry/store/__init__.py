"""Tier 2: everything that knows how the store is laid out."""
