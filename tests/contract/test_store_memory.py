"""The contract of a store, on the one in memory that other tests use."""

import pytest

from tests.contract.store_contract import NewStore, StoreContract
from tests.support.memory_store import MemoryStore


class TestMemoryStore(StoreContract):
    """So tests that pass with it say something about real stores."""

    @pytest.fixture
    def new_store(self) -> NewStore:
        """Return one store to all runners."""
        store = MemoryStore()
        return lambda _: store
