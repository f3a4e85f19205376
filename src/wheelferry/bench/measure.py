"""All measurements, one after the other; what one cannot tell is left out and said."""

import os
from contextlib import suppress
from typing import Final

from wheelferry.bench.course import Course
from wheelferry.bench.facts import (
    Archived,
    LockFacts,
    Measured,
    Pulled,
    Sampled,
    ShareFacts,
    Spent,
)
from wheelferry.bench.own import measure_own
from wheelferry.bench.pulling import ENOUGH, Fetched, measure_pull
from wheelferry.bench.rivals import measure_archive, measure_files
from wheelferry.errors import DeadlinePassed, StoreError, StoreReadOnly
from wheelferry.events import Event, Level
from wheelferry.store.layout import trial_path
from wheelferry.store.upkeep import StoreSurvey

_PROBE_BYTES: Final = 32 << 20
_LATE: Final = "the deadline came first (--deadline)"


def measure(course: Course, lock: LockFacts, survey: StoreSurvey) -> Measured:
    """Measure all that can be; whatever happens, the folder on the share is removed.

    Raises StoreError, CacheError: nothing can be said without.
    """
    measurement = _Measurement(course, lock, survey)
    unique = os.urandom(16).hex()
    try:
        measurement.run(unique)
    finally:
        measurement.clean_up(unique)
    return measurement.facts()


class _Measurement:
    """One run, and what it has found out so far."""

    def __init__(self, course: Course, lock: LockFacts, survey: StoreSurvey) -> None:
        self._course = course
        self._lock = lock
        answers = sorted(survey.answers_s)
        self._share = ShareFacts(
            fs_type=course.meter.fs_type, answer_s=answers[len(answers) // 2]
        )
        self._pulled: Pulled | None = None
        self._sampled: Sampled | None = None
        self._archived: Archived | None = None
        self._spent: Spent | None = None
        self._notes: list[str] = []
        self._left_behind = ""
        self._has_folder = False
        self._reading = course.meter.begin()

    def run(self, unique: str) -> None:
        """Take all steps that can be taken."""
        self._tell_rates()
        can_write = self._make_folder(unique)
        if can_write:
            self._probe()
        fetched = self._pull(can_write=can_write)
        if fetched is None:
            return
        self._pulled = fetched.pulled
        if can_write:
            self._measure_rivals(fetched)

    def clean_up(self, unique: str) -> None:
        """Remove the folder; if it has to stay, say so."""
        course = self._course
        self._spent = self._reading.end(0)
        if not self._has_folder:
            return
        try:
            course.yard.ask("remove_folder")
        except StoreError as exc:
            path = trial_path(course.tiers.runner, unique)
            self._left_behind = f"{course.yard.location}/{path}"
            course.tiers.emit(
                Event(
                    name="trial.left",
                    level=Level.WARNING,
                    message=f"{self._left_behind} could not be removed: the next bench of"
                    " this runner does it, or its next promotion after a day"
                    f" ({exc.message})",
                    fields={"path": self._left_behind},
                )
            )

    def facts(self) -> Measured:
        """Return what was found out."""
        return Measured(
            lock=self._lock,
            share=self._share,
            pulled=self._pulled,
            sampled=self._sampled,
            archived=self._archived,
            spent=self._spent,
            notes=tuple(self._notes),
            left_behind=self._left_behind,
        )

    def _tell_rates(self) -> None:
        bounds = self._course.bounds
        for verb, rate_bytes_s in (
            ("pull", bounds.read_rate_bytes_s),
            ("promote", bounds.write_rate_bytes_s),
        ):
            if rate_bytes_s is not None:
                self._note(
                    f"{verb}.limit_rate holds all of this to {rate_bytes_s >> 10} KiB/s"
                )

    def _make_folder(self, unique: str) -> bool:
        self._has_folder = True  # from when it may be there
        try:
            self._course.yard.ask("make_folder", unique)
        except StoreReadOnly as exc:
            self._has_folder = False
            self._note(
                "this runner may not write to the store, so the other ways could not be"
                f" measured: {exc.message}"
            )
            return False
        return True

    def _probe(self) -> None:
        course, bounds = self._course, self._course.bounds
        course.say("the share: one large file")
        size_bytes = min(_PROBE_BYTES, bounds.max_bytes // 4)
        written, write_s = course.yard.ask(
            "write_probe", size_bytes, bounds.write_rate_bytes_s, bounds.part(0.15)
        )
        read, read_s = course.yard.ask(
            "read_probe", bounds.read_rate_bytes_s, bounds.part(0.15)
        )
        if written and read:
            self._share = self._share._replace(
                write_bytes_s=written / max(write_s, 1e-6),
                read_bytes_s=read / max(read_s, 1e-6),
            )

    def _pull(self, *, can_write: bool) -> Fetched | None:
        """Measure Wheelferry: from the store, or else from one of our own."""
        course, lock = self._course, self._lock
        course.say("Wheelferry: a pull into an empty cache")
        least = max(1, round(lock.packages * ENOUGH))
        fetched = None
        try:
            fetched = measure_pull(
                course, course.yard, course.tiers.store_id, source="store", least=least
            )
            if fetched is None and can_write:
                course.say(
                    "the store lacks most of it: with entries of the local cache"
                )
                fetched = measure_own(course, course.bounds.max_bytes // 2)
        except DeadlinePassed:
            self._note(f"a pull could not be measured: {_LATE}")
            return None
        if fetched is None:
            self._note(
                f"the store has fewer than {least} of the job's {lock.packages} packages"
                + (", and the local cache has none" if can_write else "")
                + ": run `uv sync` and `wheelferry promote` first"
            )
            return None
        if fetched.pulled.source == "cache":
            self._note(
                "the store has too few of the job's packages: measured with packs of the"
                " local cache's entries, in a folder of our own"
            )
        return fetched

    def _measure_rivals(self, fetched: Fetched) -> None:
        course, max_bytes = self._course, self._course.bounds.max_bytes
        course.say("uv's cache on the share: the same files, one by one")
        with suppress(DeadlinePassed):
            self._sampled, write_s = measure_files(course, fetched, max_bytes // 4)
            read_s = None
            if self._sampled is not None:
                read_s = self._sampled.fresh.seconds / self._sampled.files
            self._share = self._share._replace(file_write_s=write_s, file_read_s=read_s)
        if self._sampled is None:
            self._note(
                f"uv's cache on the share could not be measured: {_LATE}, or there is no"
                " room for a directory of files (--max-size)"
            )
        if not course.tar:
            self._note("an archive could not be measured: there is no tar here")
            return
        course.say("an archive of the cache")
        with suppress(DeadlinePassed):
            self._archived = measure_archive(course, fetched, max_bytes // 4)
        if self._archived is None:
            self._note(
                f"an archive could not be measured: {_LATE}, or there is no room for half"
                " of the files (--max-size)"
            )

    def _note(self, note: str) -> None:
        self._notes.append(note)
