"""Ask programs of this machine what they are, and remember what they said.

A program may be a shim that goes by the name it is run under (`uv -> mise`), or a script
that runs another one: so each is run under its own path, and no answer is believed for
ever.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import msgpack

from wheelferry.disk.durable import Disk

TIMEOUT_S: Final = 5.0

ANSWER_S: Final = 24 * 3600
"""How long an answer is believed: a script's stays its own when its program is another."""

FAILURE_S: Final = 3600
"""How long one that fails, or hangs, is not asked again."""

_MAX_FAILURE: Final = 200
_MAX_ANSWER_BYTES: Final = 1 << 20
_Identity: TypeAlias = tuple[str, int, int, int]


class Answer(NamedTuple):
    """What a program printed, or why it printed nothing; one of the two is ""."""

    asked_s: int
    text: str
    failure: str

    def is_fresh(self, now_s: float) -> bool:
        """Return whether it need not be asked again."""
        return 0 <= now_s - self.asked_s < (FAILURE_S if self.failure else ANSWER_S)


def unique_programs(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return those that can be run, each file once, as they are named."""
    found: dict[tuple[int, int], Path] = {}
    for path in paths:
        if os.access(path, os.X_OK) and path.is_file():
            status = path.stat()
            found.setdefault((status.st_dev, status.st_ino), path)
    return tuple(found.values())


def ask_programs(
    programs: Iterable[Path],
    arguments: Sequence[str],
    *,
    memory: Path,
    disk: Disk,
    now_s: float,
    ask: Callable[[Path], str] | None = None,
) -> Mapping[Path, Answer]:
    """Return what programs print when run with `arguments`, asking each once in a while.

    Args:
        programs: Paths of what to run: 5 s each, without stdin.
        arguments: The question; of another one than before nothing is remembered.
        memory: File that remembers the answers by path, inode, size and time of
            modification; it may be missing or damaged.
        disk: Writes it.
        now_s: This host's clock.
        ask: Returns what a program prints, and raises OSError if it cannot.
    """
    question = "\0".join(arguments)
    known = {
        identity: answer
        for identity, answer in _load(memory, question).items()
        if answer.is_fresh(now_s)
    }
    told: dict[Path, Answer] = {}
    answers: dict[_Identity, Answer] = {}
    for program in programs:
        try:
            identity = _identify(program)
        except OSError as exc:
            told[program] = Answer(int(now_s), "", str(exc) or "it is gone")
            continue
        answer = known.get(identity)
        if answer is None:
            answer = _answer(ask or (lambda p: run(p, arguments)), program, now_s)
        answers[identity] = told[program] = answer
    if answers.keys() - known.keys():
        _save(memory, question, answers, disk)
    return told


def run(
    program: Path,
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Run a program that answers at once, and return what it prints.

    Args:
        program: It may be anything of its name: it may hang, and its children too.
        arguments: What it is asked.
        environ: Its environment, if not that of this process.
        directory: Where it runs, if not where this process does.

    Raises:
        OSError: It cannot be run, fails, or takes longer than TIMEOUT_S.
    """
    import signal  # noqa: PLC0415
    import subprocess  # noqa: PLC0415 - only for a program that is new here

    with subprocess.Popen(  # noqa: S603 - in a directory that was configured
        [program, *arguments],
        env=environ,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children can be killed with it
    ) as process:
        try:
            printed, said = process.communicate(timeout=TIMEOUT_S)
        except BaseException as exc:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(exc, subprocess.TimeoutExpired):
                text = f"it took more than {TIMEOUT_S:.0f} s to answer"
                raise OSError(text) from exc
            raise
    if process.returncode:
        why = f": {' '.join(said.split())}" if said.strip() else ""
        raise OSError(f"asked, it failed with exit code {process.returncode}{why}")
    return printed


def _answer(ask: Callable[[Path], str], program: Path, now_s: float) -> Answer:
    text = failure = ""
    try:
        text = ask(program)
    except OSError as exc:
        failure = str(exc)[:_MAX_FAILURE] or "it failed"
    if len(text) > _MAX_ANSWER_BYTES:
        text, failure = "", f"it printed {len(text)} characters"
    return Answer(int(now_s), text, failure)


def _identify(program: Path) -> _Identity:
    status = program.stat()
    return str(program), status.st_ino, status.st_size, status.st_mtime_ns


def _load(memory: Path, question: str) -> dict[_Identity, Answer]:
    try:
        asked, items = msgpack.unpackb(memory.read_bytes(), use_list=False)
        return {
            identity: Answer(int(asked_s), str(text), str(failure))
            for identity, asked_s, text, failure in items
            if asked == question
        }
    except (OSError, ValueError, TypeError, msgpack.UnpackException):
        return {}  # it will be written anew


def _save(
    memory: Path, question: str, answers: Mapping[_Identity, Answer], disk: Disk
) -> None:
    items = [(identity, *answer) for identity, answer in answers.items()]
    data = msgpack.packb((question, items))
    temporary = memory.with_name(f"{memory.name}.{os.urandom(6).hex()}")
    try:
        disk.make_dirs(memory.parent, 0o700)
        disk.create_file(temporary, data)
        disk.rename(temporary, memory)
    except OSError:
        disk.unlink(temporary)  # a memory is a convenience
