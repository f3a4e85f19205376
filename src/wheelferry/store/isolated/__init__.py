"""A store that another process works on, so that a share that hangs can be left behind.

`store` is what the operations see; `calls` bounds each call, on one of the `lanes` to the
child that `process` started.  On the other side are `child` and `server`, which passes
on the `beats` of a long call.  `wire` has what errors look like on the way,
`stream` what objects do, `parts` all that few have use for.
"""

from wheelferry.store.isolated.store import IsolatedStore

__all__ = ["IsolatedStore"]
