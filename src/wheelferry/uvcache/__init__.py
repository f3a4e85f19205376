"""Tier 1: everything that knows how uv lays out its cache."""
