"""The contract of a store, on a directory that another process works on."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.contract.store_contract import NewStore, StoreContract
from tests.support.forge import object_path, overwrite
from wheelferry.disk import Disk
from wheelferry.store.base import Store
from wheelferry.store.create import create_store
from wheelferry.store.isolated import IsolatedStore
from wheelferry.store.posix import PosixStore
from wheelferry.store.record import Digest


class TestIsolatedStore(StoreContract):
    """`IsolatedStore` over `PosixStore` in `tmp_path`, as commands use it."""

    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Iterator[NewStore]:
        """Make the store, and return handles on it, each with its process."""
        root = tmp_path / "store"
        create_store(root, disk=Disk(), now_s=0.0)
        with ExitStack() as stack:

            def new(runner: str) -> IsolatedStore:
                make = partial(PosixStore, root, disk=Disk(), runner=runner)
                store = IsolatedStore(make, location=str(root), timeout_s=20.0)
                stack.enter_context(store)
                store.open()
                return store

            yield new

    def damage(self, store: Store, digest: Digest, data: bytes) -> None:
        """Change the file."""
        overwrite(object_path(Path(store.location), digest), data)
