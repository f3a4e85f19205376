"""What is known of a store and its runners besides what is there: a few dicts.

Told of each turn after it was judged.  What depends on the moment of a kill, or on the
order of what went on at once, is known as a lower and an upper bound, or not at all.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.state.runner import Runner
from tests.state.shelf import Shelf
from tests.state.turn import Turn
from tests.state.wares import BY_IDENTITY, WARES, Ware
from wheelferry.store.record import Digest

DAY_S = 24 * 3600

LOW = 0.9
"""The part of its budget that a removal leaves of a store, ..."""

FLOOR = 0.8
"""... and at least, if it can be helped."""

TICK_S = 0.01
"""Two uses of a ware that are less apart than that may have one time."""


@dataclass(slots=True)
class Model:
    """What happened so far.

    Attributes:
        spoiled: Packs that the test has damaged or lost, or an admin removed: they may be
            missing, or wrong, until they are there again.
        doomed: Packs that were to be removed: copies of their records, made by a merge
            meanwhile, may have stayed, and go later.
        removed: When wares were removed from the store the last time, at the earliest,
            by this machine's clock; also of those that came again, since a removal is
            remembered for whoever has not used them since.
        learnt: When a runner had learnt of that, at the latest, and will not forget it.
        touched: When a runner has read a ware the last time, for a promotion that died.
        noted: Packs that a runner has missed.
        needed_s: When a runner has said that it holds a pack, at the earliest, by the
            server's clock.
        wanted_s: The same, at the latest.
        said_s: When each runner has said something, at the latest.
        lost: What was in the catalog, and went though nobody removed it.
        trimmed: What a trim has, or may have, removed from a runner's cache.
        is_disturbed: Whether a command was killed since the last removal that was not.
    """

    spoiled: set[Digest] = field(default_factory=set)
    doomed: set[Digest] = field(default_factory=set)
    removed: dict[Ware, float] = field(default_factory=dict)
    learnt: dict[tuple[str, Ware], float] = field(default_factory=dict)
    touched: dict[tuple[str, Ware], float] = field(default_factory=dict)
    noted: dict[str, set[Digest]] = field(default_factory=dict)
    needed_s: dict[Digest, int] = field(default_factory=dict)
    wanted_s: dict[Digest, int] = field(default_factory=dict)
    said_s: dict[str, int] = field(default_factory=dict)
    lost: set[Ware] = field(default_factory=set)
    trimmed: dict[str, set[Ware]] = field(default_factory=dict)
    is_disturbed: bool = False

    def was_evicted(self, shelf: Shelf, runner: Runner, ware: Ware) -> bool:
        """Return whether a runner knows that a ware is gone, and has not used it since."""
        if ware in shelf.living or ware not in self.removed:
            return False
        knows = ware in shelf.dead or (runner.name, ware) in self.learnt
        last = max(runner.used_s[ware], self.touched.get((runner.name, ware), 0.0))
        return knows and last < self.removed[ware]

    def must_promote(self, shelf: Shelf, runner: Runner, ware: Ware) -> bool:
        """Return whether nothing keeps a runner from promoting a ware it has."""
        if ware in shelf.hazy:  # the runner may have read of it
            return False
        if ware in shelf.living or ware not in self.removed:
            return True
        learnt = self.learnt.get((runner.name, ware))
        return learnt is not None and runner.used_s[ware] > learnt + TICK_S

    def needed_since(self, turn: Turn, pack: Digest) -> int:
        """Return when a pack was needed the last time, at the earliest."""
        promoted_s = min(s.promoted_s.get(pack, 0) for s in (turn.before, turn.after))
        written_s = turn.before.written_s.get(pack, 0)
        return max(promoted_s, written_s, self.needed_s.get(pack, 0))

    def needed_until(self, turn: Turn, pack: Digest) -> int:
        """Return the same, at the latest."""
        if any(turn.of("promote", "pull")):
            return turn.ended_s
        shelf = turn.before
        known = (shelf.claimed_s, shelf.written_s, self.wanted_s)
        return max(times.get(pack, 0) for times in known)

    def forget_view(self, runner: Runner) -> None:
        """Be told that a runner has lost its view."""
        self.learnt = {
            key: at for key, at in self.learnt.items() if key[0] != runner.name
        }
        self.noted.pop(runner.name, None)

    def learn(self, turn: Turn) -> None:
        """Be told of a turn."""
        self._note_removals(turn)
        self._note_packs(turn)
        for run in turn.of("pull"):
            self._note_usage(turn, run.runner, has_died=run.has_died)
        for run in turn.of("promote"):  # it may have, if packs were there already
            for ware in (*turn.had[run.runner.name], *turn.has[run.runner.name]):
                self.wanted_s[ware.pack] = turn.ended_s
            self.said_s[run.runner.name] = turn.ended_s
        for run in turn.of("trim"):
            if run.plan:
                identities = {i for group in run.plan.victims for i in group.identities}
                wares = {BY_IDENTITY[identity] for identity in identities}
                self.trimmed.setdefault(run.runner.name, set()).update(wares)
        for run in turn.runs:
            _sync(turn, run.runner)

    def _note_removals(self, turn: Turn) -> None:
        gone = {ware for _, ware in turn.after.removals - turn.before.removals}
        for ware in gone:
            self.removed[ware] = turn.began
        for ware in turn.after.dead:
            self.removed.setdefault(ware, turn.began)
        if any(turn.of("gc", "rm")):  # it may have come, and gone again
            for run in turn.of("promote"):
                gone |= run.runner.downloads.keys() & self.removed.keys()
        self.lost |= turn.before.living - turn.after.living - gone
        self.lost -= turn.after.living | gone
        self._note_knowledge(turn, gone)

    def _note_knowledge(self, turn: Turn, gone: Collection[Ware]) -> None:
        now = time.time()
        self.learnt = {
            (name, ware): at
            for (name, ware), at in self.learnt.items()
            if ware in self.removed and ware not in gone
        }
        always_dead = (turn.before.dead & turn.after.dead).difference(gone)
        for run in turn.runs:
            name = run.runner.name
            is_reader = run.verb != "trim" and (run.verb != "verify" or run.argument)
            if is_reader and not run.has_died:
                for ware in always_dead:
                    self.learnt.setdefault((name, ware), now)
            if run.verb == "promote" and run.has_died:
                self.touched.update(((name, w), now) for w in run.runner.downloads)

    def _note_packs(self, turn: Turn) -> None:
        self.doomed -= {ware.pack for ware in turn.after.living - turn.before.living}
        self.doomed |= turn.victims | {w.pack for w in WARES if turn.takes(w)}
        self.spoiled |= {ware.pack for ware in WARES if turn.takes(ware)}
        self.spoiled -= turn.after.written_s.keys() - turn.after.damaged
        if any(run.has_died for run in turn.of("promote", "gc", "rm")):
            self.is_disturbed = True
        elif turn.alone and turn.alone.verb == "gc":
            self.is_disturbed = False
        news = turn.after.segments.keys() - turn.before.segments.keys()
        if news:  # a pack that is named again counts as there
            for name in self.noted:
                self.noted[name] -= turn.after.named
        for one in turn.of("promote"):  # and what it has put there again
            self.noted.get(one.runner.name, set()).difference_update(turn.after.sound)
        if (run := turn.alone) and run.verb == "pull" and not run.argument:
            self._note_missed(turn, run.runner)

    def _note_missed(self, turn: Turn, runner: Runner) -> None:
        shelf = turn.before
        there = shelf.written_s.keys() - shelf.damaged
        for ware in shelf.living - turn.has[runner.name].keys():
            is_wanted = ware not in self.trimmed.get(runner.name, ())
            if is_wanted and ware.pack not in there and not turn.forbids(ware):
                self.noted.setdefault(runner.name, set()).add(ware.pack)

    def _note_usage(self, turn: Turn, runner: Runner, *, has_died: bool) -> None:
        had, has = turn.had[runner.name], turn.has[runner.name]
        for ware in (*had, *has):
            self.wanted_s[ware.pack] = turn.ended_s
        last_s = self.said_s.get(runner.name)
        if not has_died and (last_s is None or turn.began_s - last_s >= DAY_S):
            for ware in turn.before.living & turn.after.living & had.keys():
                if not turn.before.forbids(ware) and not turn.after.forbids(ware):
                    self.needed_s[ware.pack] = turn.began_s
        self.said_s[runner.name] = turn.ended_s


def _sync(turn: Turn, runner: Runner) -> None:
    """Forget the downloads that a cache has no more."""
    has = turn.has[runner.name]
    runner.downloads = {
        ware: archive_id
        for ware, archive_id in runner.downloads.items()
        if has.get(ware) == archive_id
    }
    runner.edited &= runner.downloads.keys()
