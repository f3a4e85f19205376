"""What a pull saved and cost, by package; see `figures.Sums` for the meanings.

Pure.  What an index would have sent is the file that the entry came from: the wheel, or
the sdist that it was built from, once for all wheels that were built from it.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from wheelferry.ops.figures import SUMS, PackageSums, merge_packages
from wheelferry.ops.figures_map import DAY_PACKAGES, MAX_NAME_CHARS, heaviest
from wheelferry.ops.pull_plan import PullPlan, PullReport
from wheelferry.store.record import Digest
from wheelferry.store.view import LightRecord
from wheelferry.uvcache.entry import Kind

_FIELDS: Final = tuple(field.name for field in fields(PackageSums))


def count_restored(
    plan: PullPlan, report: PullReport
) -> tuple[Mapping[str, float], list[Mapping[str, object]]]:
    """Return the sums of what was restored, and those of the largest packages."""
    to_read = {record.pack for record in plan.fetched}
    seen: set[tuple[str, ...]] = set()
    packages = merge_packages(
        _count(record, report, to_read, seen) for record in report.restored
    )
    sums: dict[str, float] = {
        name: sum(getattr(package, name) for package in packages)
        for name in SUMS
        if name in _FIELDS
    }
    sums["pulled_bytes"] = report.bytes_read  # also of what was then not restored
    if plan.served is None:
        sums["ahead_bytes"] = sums["avoided_bytes"]
    return sums, [_as_map(package) for package in heaviest(packages, DAY_PACKAGES)]


def _count(
    record: LightRecord,
    report: PullReport,
    to_read: set[Digest],
    seen: set[tuple[str, ...]],
) -> PackageSums:
    pulled_bytes = record.pack_bytes if record.pack in to_read else 0
    to_read.discard(record.pack)
    is_built = Kind(record.kind).is_built
    stem = "" if is_built else record.stem
    source = (record.format_id, record.shard, stem)
    is_again = source in seen
    seen.add(source)
    build_s = report.build_times.get(record.ref) if is_built else None
    return PackageSums(
        name=record.name[:MAX_NAME_CHARS],
        pulled=1,
        pulled_bytes=pulled_bytes,
        avoided_bytes=0 if is_again else record.size_bytes or 0,
        unsized=int(not is_again and record.size_bytes is None),
        builds=int(is_built),
        build_s=build_s or 0.0,
        untimed=int(is_built and build_s is None),
        longest_s=build_s or 0.0,
    )


def _as_map(package: PackageSums) -> Mapping[str, object]:
    found = {name: getattr(package, name) for name in _FIELDS}
    return {name: value for name, value in found.items() if value}
