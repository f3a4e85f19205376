"""What an entry of the cache needs of a machine, as its record is to say it."""

from collections.abc import Iterable, Mapping

from wheelferry.native.judge import Machine
from wheelferry.ops.convert import NO_NEEDS
from wheelferry.pack.writer import SourceFile
from wheelferry.uvcache.entry import EntryInfo


def find_needs(
    info: EntryInfo, files: Iterable[SourceFile], machine: Machine
) -> Mapping[str, str]:
    """Return the needs of a natively built wheel; of others there are none to record.

    Args:
        info: The entry.
        files: Its tree.
        machine: This one, which built it.

    Raises:
        NotUnderstood: Nothing certain can be said of it.
        OSError: A file cannot be read.
    """
    if not info.is_native:
        return NO_NEEDS
    # Most promotions have no such wheel.
    from wheelferry.native.gather import gather_needs  # noqa: PLC0415
    from wheelferry.native.needs import encode_needs  # noqa: PLC0415

    return encode_needs(gather_needs(files, tags=info.tags, built_on=machine))
