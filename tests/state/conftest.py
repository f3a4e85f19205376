"""These tests make thousands of small files too."""

from tests.crash.conftest import scratch

__all__ = ["scratch"]
