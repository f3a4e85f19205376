"""Projects with a lock, such as a job checks out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's two files."""

    pyproject: str
    lock: str

    def write(self, folder: Path) -> None:
        """Write them into a folder, over what is there."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pyproject.toml").write_text(self.pyproject)
        (folder / "uv.lock").write_text(self.lock)

    def replaced(self, old: str, new: str) -> "Project":
        """Return a copy with one text replaced by another in both files."""
        return Project(
            pyproject=self.pyproject.replace(old, new), lock=self.lock.replace(old, new)
        )
