"""Compare what is unpacked in the local cache with what its wheels were made of.

An environment shares its files with the cache, by hardlinks: what a job edits there is
edited for all that come.  Nothing is changed, no lock is taken, and the store is not asked:
a restored tree has been compared with its pack before uv saw it, and its RECORD came with
it.  Who edits RECORD as well is not found out.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from wheelferry.events import Sink, progress
from wheelferry.ops.finding import Finding, Findings, Severity
from wheelferry.pack.pool import BUDGET_BYTES, Job, Pool
from wheelferry.uvcache.cached import CachedEntry, is_unchanged
from wheelferry.uvcache.scan import scan_cache
from wheelferry.uvcache.tree import NotPackable, list_tree, read_record
from wheelferry.uvcache.wheelrecord import NO_DIGEST, Issue, check_record

JOBS: Final = 4
MAX_NAMED: Final = 20
"""Files that are named of one archive."""

_BLOCK_BYTES: Final = 1 << 20


@dataclass(slots=True, kw_only=True)
class CacheReport:
    """What was compared, and what was found; sizes in bytes.

    Attributes:
        archives: Unpacked wheels.
        restored: Those of them that came from the store.
        files, file_bytes: What was read.
        edited: Archives with files that are not what they were.
        findings: All of them.
    """

    archives: int = 0
    restored: int = 0
    files: int = 0
    file_bytes: int = 0
    edited: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was edited."""
        return all(f.severity is not Severity.ERROR for f in self.findings)


class _Compared(NamedTuple):
    """What came of one archive; `trouble` is why it could not be compared."""

    issues: tuple[Issue, ...] = ()
    files: int = 0
    file_bytes: int = 0
    trouble: str = ""


def verify_cache(cache: Path, emit: Sink) -> CacheReport:
    """Read all files of all unpacked wheels; raises CacheError."""
    return verify_entries(scan_cache(cache).entries, emit)


def verify_entries(scanned: Iterable[CachedEntry], emit: Sink) -> CacheReport:
    """Read all files of entries that were found a moment ago.

    What was replaced or removed since, or is meanwhile, is left out.
    """
    report, findings = CacheReport(), Findings(emit)
    entries = list(_by_archive(scanned))

    def settle(entry: CachedEntry, compared: _Compared) -> None:
        report.archives += 1
        report.restored += entry.is_restored
        report.files += compared.files
        report.file_bytes += compared.file_bytes
        report.edited += _judge(findings, entry, compared)
        emit(progress("verifying", done=report.archives, total=len(entries)))

    _compare_all(entries, settle)
    report.findings = findings.items
    return report


def _by_archive(entries: Iterable[CachedEntry]) -> Iterable[CachedEntry]:
    """Return one entry for each archive; some are shared."""
    return {e.archive: e for e in entries if e.archive is not None}.values()


def _compare_all(
    entries: Iterable[CachedEntry], settle: Callable[[CachedEntry, _Compared], None]
) -> None:
    waiting: deque[tuple[CachedEntry, Job[_Compared]]] = deque()
    with Pool(JOBS) as pool:
        for entry in entries:
            weight_bytes = BUDGET_BYTES // (2 * JOBS)
            job = pool.submit(partial(_compare, entry), weight_bytes=weight_bytes)
            waiting.append((entry, job))
            while waiting and waiting[0][1].is_done():
                first, job = waiting.popleft()
                settle(first, job.result())
        for first, job in waiting:
            settle(first, job.result())


def _compare(entry: CachedEntry) -> _Compared:
    try:
        files = list_tree(entry)
        record = read_record(files)
        found: dict[str, tuple[int, bytes]] = {}
        for file in files:
            hasher, size_bytes = sha256(), 0
            with file.open() as stream:
                while block := stream.read(_BLOCK_BYTES):
                    hasher.update(block)
                    size_bytes += len(block)
            found[file.path] = size_bytes, hasher.digest()
    except NotPackable as exc:
        return _Compared(trouble="" if _is_gone(entry) else str(exc))
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            return _Compared()  # uv, or a trim, takes it away
        return _Compared(trouble=f"{exc.filename}: {exc.strerror}")
    return _Compared(
        issues=() if _is_gone(entry) else check_record(record, found),
        files=len(found),
        file_bytes=sum(size_bytes for size_bytes, _ in found.values()),
    )


def _is_gone(entry: CachedEntry) -> bool:
    """Return whether it was replaced, or begins to go, and so may look damaged."""
    return not is_unchanged(entry)


def _judge(findings: Findings, entry: CachedEntry, compared: _Compared) -> bool:
    """Say what is wrong with one archive; return whether something was edited."""
    info, archive = entry.info, entry.archive
    assert archive is not None
    subject = f"{info.name} {info.version}"
    whence = "the store" if entry.is_restored else "an index, or a build here"
    if compared.trouble:
        findings.add(
            Severity.ERROR,
            "archive-damaged",
            f"{subject}: {archive}",
            f"it cannot be compared with its RECORD: {compared.trouble}",
            _hint(info.name),
        )
        return True
    unknown = [issue for issue in compared.issues if issue.problem == NO_DIGEST]
    if unknown:
        findings.add(
            Severity.INFO,
            "file-unchecked",
            f"{subject}: {archive}",
            f"RECORD has no SHA-256 of {len(unknown)} of its files, such as"
            f" {unknown[0].path}",
        )
    edited = [issue for issue in compared.issues if issue.problem != NO_DIGEST]
    for issue in edited[:MAX_NAMED]:
        findings.add(
            Severity.ERROR,
            "file-edited",
            f"{subject}: {archive}/{issue.path}",
            f"{issue.problem}; it came from {whence}{_shared(archive / issue.path)}",
            _hint(info.name),
        )
    if len(edited) > MAX_NAMED:
        findings.add(
            Severity.ERROR,
            "file-edited",
            f"{subject}: {archive}",
            f"and {len(edited) - MAX_NAMED} more of its files",
            _hint(info.name),
        )
    return bool(edited)


def _shared(path: Path) -> str:
    """Say how many environments have a hardlink to a file."""
    try:
        others = path.lstat().st_nlink - 1
    except OSError:
        return ""
    return f", and has {others} more names, in environments" if others > 0 else ""


def _hint(name: str) -> str:
    return (
        f"run `uv cache clean {name}` as the user of the jobs, and make the environments"
        f" anew that have it (`uv sync --reinstall-package {name}`); then look for what"
        " writes into environments: with UV_LINK_MODE=copy that does not reach the cache"
    )
