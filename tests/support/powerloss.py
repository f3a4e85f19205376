"""What a disk holds after a power loss: a model of the steps that a run took.

Names are journalled: after a power loss the filesystem has those of the first steps, up
to some step, in the order in which they were made, as ext4, XFS and Btrfs have it; a
sync makes all names before it certain (`sync_dir` those in that directory).  Content is
not: a file that was not synced since its last write is empty.  `lose_one` goes further
and lets single names vanish out of that order, as a network filesystem might.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.disks import CountingDisk, Step
from wheelferry.disk import Disk
from wheelferry.disk.durable import StrPath


@dataclass(eq=False, slots=True)
class Node:
    """A file, directory or link; `target` is of a link."""

    kind: str
    target: str = ""
    mode: int = 0o644
    data: bytes = b""
    is_synced: bool = False


@dataclass(frozen=True, slots=True)
class Naming:
    """One change of a name: what `path` names from then on; None if nothing."""

    path: str
    node: Node | None


@dataclass(slots=True)
class Instant:
    """What is certain, and what is not, after a step.

    Attributes:
        step: The step.
        certain: Names that a power loss cannot take.
        pending: Changes of names that it can take.
        lost: Files whose content it takes.
    """

    step: Step
    certain: dict[str, Node]
    pending: list[Naming]
    lost: frozenset[Node]

    def survivors(self) -> dict[str, Node]:
        """Return the names if all pending ones survive.

        For what the journal can lose that is the worst: if only the first ones survive,
        the names are those of an earlier instant, and more content was synced.
        """
        return _apply(self.certain, self.pending)

    def lose_one(self, index: int) -> dict[str, Node]:
        """Return the names if all pending ones but one survive."""
        return _apply(self.certain, self.pending[:index] + self.pending[index + 1 :])


def _apply(names: dict[str, Node], changes: list[Naming]) -> dict[str, Node]:
    found = dict(names)
    for change in changes:
        if change.node is None:
            found.pop(change.path, None)
        else:
            found[change.path] = change.node
    return found


@dataclass(slots=True)
class _Model:
    certain: dict[str, Node] = field(default_factory=dict)
    pending: list[Naming] = field(default_factory=list)
    present: dict[str, Node] = field(default_factory=dict)

    def name(self, path: str, node: Node | None) -> None:
        self.pending.append(Naming(path, node))
        if node is None:
            self.present.pop(path, None)
        else:
            self.present[path] = node

    def remove(self, path: str) -> None:
        """Remove a name and all below it."""
        for below in self._below(path):
            self.name(below, None)

    def _below(self, path: str) -> list[str]:
        return [p for p in self.present if p == path or p.startswith(f"{path}/")]

    def rename(self, source: str, target: str) -> None:
        """Move a name and all below it in one step, as a filesystem does."""
        for path in self._below(source):
            node = self.present[path]
            self.name(target + path.removeprefix(source), node)
            self.name(path, None)

    def sync_directory(self, directory: str) -> None:
        """Make certain what was named in it, and the directories that lead there."""
        kept = []
        for change in self.pending:
            if change.path.rpartition("/")[0] == directory:
                self.certain = _apply(self.certain, [change])
            else:
                kept.append(change)
        self.pending = kept

    def sync_all(self) -> None:
        self.certain, self.pending = dict(self.present), []
        for node in self.present.values():
            node.is_synced = True


class RecordingDisk(CountingDisk):
    """A disk that tells, after each step, what a power loss at that instant leaves.

    `instants` has one per step.  What is written to a descriptor without this disk's
    knowledge (a `.whl`, by `zipfile`) is read when the file gets its next name.

    Args:
        dropped: A kind of step that only says that it was done, to see what is lost
            without it.
    """

    def __init__(self, dropped: str | None = None) -> None:
        super().__init__()
        self.instants: list[Instant] = []
        self._model = _Model()
        if dropped is not None:
            assert callable(getattr(Disk, dropped))
            setattr(self, dropped, lambda *_: None)

    def after(self, step: Step) -> None:
        self._record(step)
        model = self._model
        self.instants.append(
            Instant(
                step,
                dict(model.certain),
                list(model.pending),
                frozenset(
                    node
                    for node in {*model.present.values(), *model.certain.values()}
                    if node.kind == "file" and not node.is_synced
                ),
            )
        )

    def sync_filesystem(self, path: StrPath) -> None:
        with self._step("sync_filesystem", path):
            self._model.sync_all()

    def sync_file(self, fd: int) -> None:
        with self._step("sync_file", fd) as step:
            self._node(step.paths[0]).is_synced = True

    def sync_dir(self, path: StrPath) -> None:
        with self._step("sync_dir", path):
            self._model.sync_directory(os.fspath(path))

    def _node(self, path: str) -> Node:
        return self._model.present[path]

    def _record(self, step: Step) -> None:
        """Tell the model of a step that was taken, or failed."""
        model, path, target = self._model, step.paths[0], step.paths[-1]
        match step.name:
            case "write" | "write_at":
                self._node(path).is_synced = False
            case "open_new" | "open_unique" if Path(path).exists():
                model.name(path, Node("file"))
            case "make_dir" | "make_dirs" if Path(path).is_dir():
                model.name(path, Node("directory", is_synced=True))
            case "symlink":
                model.name(target, Node("link", target=path, is_synced=True))
            case "rename":
                self._read(path, target)
                model.rename(path, target)
            case "link_new" if target not in model.present:
                self._read(path, target)
                model.name(target, model.present[path])
            case "unlink" | "remove_tree":
                model.remove(path)

    def _read(self, source: str, target: str) -> None:
        """Remember the content of what was just renamed or linked."""
        for path, node in self._model.present.items():
            if node.kind == "file" and (
                path == source or path.startswith(f"{source}/")
            ):
                real = Path(target + path.removeprefix(source))
                if not real.is_symlink():
                    node.data = real.read_bytes()
                    node.mode = real.stat().st_mode & 0o777


def rebuild(
    names: dict[str, Node], lost: frozenset[Node], *, root: Path, target: Path
) -> None:
    """Make, at `target`, what a power loss left below `root`; files in `lost` are empty.

    A name whose directory did not survive did not either.
    """
    for path, node in sorted(names.items()):
        if not path.startswith(f"{root}/"):
            continue
        place = target / os.path.relpath(path, root)
        if not place.parent.is_dir():
            continue
        if node.kind == "directory":
            place.mkdir(exist_ok=True)
        elif node.kind == "link":
            place.symlink_to(node.target)
        else:
            place.write_bytes(b"" if node in lost else node.data)
            place.chmod(node.mode)
