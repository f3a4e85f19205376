"""The contract of a store, on the one in memory that other tests use."""

import pytest

from tests.contract.store_contract import NewStore, StoreContract
from tests.support.memory_store import MemoryStore
from wheelferry.store.base import Store
from wheelferry.store.record import Digest


class TestMemoryStore(StoreContract):
    """So tests that pass with it say something about real stores."""

    @pytest.fixture
    def new_store(self) -> NewStore:
        """Return one store to all runners."""
        store = MemoryStore()
        return lambda _: store

    def damage(self, store: Store, digest: Digest, data: bytes) -> None:
        """Change what is in memory."""
        assert isinstance(store, MemoryStore)
        store.objects[digest] = data
