"""The contract of a store, on a directory of the local disk."""

from pathlib import Path

import pytest

from tests.contract.store_contract import NewStore, StoreContract
from tests.support.forge import object_path, overwrite
from wheelferry.disk import Disk
from wheelferry.store.base import Store
from wheelferry.store.create import create_store
from wheelferry.store.posix import PosixStore
from wheelferry.store.record import Digest


class TestPosixStore(StoreContract):
    """`PosixStore` in `tmp_path`."""

    @pytest.fixture
    def new_store(self, tmp_path: Path) -> NewStore:
        """Make the store, and return handles on it."""
        create_store(tmp_path / "store", disk=Disk(), now_s=0.0)

        def new(runner: str) -> PosixStore:
            store = PosixStore(tmp_path / "store", disk=Disk(), runner=runner)
            store.open()
            return store

        return new

    def damage(self, store: Store, digest: Digest, data: bytes) -> None:
        """Change the file."""
        overwrite(object_path(Path(store.location), digest), data)
