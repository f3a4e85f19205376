"""What runners say of themselves in a store, whatever it is made of.

Contracts, not implementation, as in `base`.
"""

from collections.abc import Iterator
from typing import Protocol

from wheelferry.store.usage import Usage, UsageFile


class UsageFiles(Protocol):
    """The usage files of a store; `Store.usage` has them.

    What holds for a store's methods holds here: any number of processes may call anything
    at any time, and errors are `StoreError`s.
    """

    def write(self, name: str, usage: Usage) -> None:
        """Say what a runner used and did; `usage` has the meaning.

        `name` is a new one that `layout.usage_name` made.  If there is a file of that
        name it is by this runner, which was interrupted, and nothing is done.
        """
        ...

    def read_all(self) -> Iterator[UsageFile]:
        """Yield all that runners said, also what is carried on by others of them.

        What cannot be read is left out.  What is renamed meanwhile is not.
        """
        ...

    def list_free(self, runner: str) -> list[str]:
        """Return the files of that runner's name that have no mark: which can be claimed."""
        ...

    def claim(self, name: str) -> UsageFile | None:
        """Take over a file, to carry it on; None if it is gone, or cannot be read.

        It gets another name, marked as old, and counts until `remove`.  Of several that
        claim it, one has it.

        Raises:
            StoreReadOnly: Also if it is of another user, where they are kept apart.
        """
        ...

    def release(self, name: str) -> bool:
        """Let others of the runner's name claim a file; False if it is gone.

        It loses its mark.
        """
        ...

    def remove(self, name: str) -> bool:
        """Remove a file that another one carries on; False if it is gone already."""
        ...
