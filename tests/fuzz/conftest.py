"""Commands run in children of one process that has imported everything, so that thousands of them are cheap:
with a fault at the n-th file operation, or on damaged inputs."""

import faulthandler
import mmap
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

SECONDS = 240
"""A command that takes longer hangs; on a machine of its own it takes a few seconds."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}


@dataclass(frozen=True)
class Ended:
    """status: the exit code, negative for a signal, as subprocess has it. changes: how many operations
    changed a file or folder below the root. said: stdout and stderr."""

    status: int
    changes: int
    said: str

    @property
    def sound(self) -> bool:
        """Whether it ended as commands may: done, failed or refused by name."""
        return self.status in (0, 1, 2) and "Traceback" not in self.said


@dataclass(frozen=True)
class Fault:
    """at: before which change, from 0. kind: "kill" or the number of an operating system's error."""

    at: int
    kind: str | int


Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def run() -> Run:
    """run(words, root, fault=None): `dpa-engine WORDS…` in a child, in the folder `root`."""
    import dpa.engine.cli.app  # noqa: F401 - what every child needs, once

    return _run


def _run(words: Sequence[object], root: Path, fault: Fault | None = None) -> Ended:
    shared = mmap.mmap(-1, 8)
    told = root.parent / f".{root.name}.said"
    child = os.fork()
    if child == 0:
        try:
            _become(words, root, fault, shared, told)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    (changes,) = struct.unpack("q", shared[:8])
    said = told.read_text(errors="replace")
    told.unlink()
    return Ended(os.waitstatus_to_exitcode(status), changes, said)


def _become(words: Sequence[object], root: Path, fault: Fault | None, shared: mmap.mmap, told: Path) -> None:
    """The child's whole life."""
    output = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SECONDS)
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(root)
    inside, counted = str(root), 0

    def watch(event: str, given: tuple[object, ...]) -> None:
        nonlocal counted
        if event == "open" and isinstance(given[2], int) and given[2] & WRITING:
            pass
        elif event not in CHANGES:
            return
        if not isinstance(given[0], str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(given[0]))
        if not path.startswith(inside):
            return
        here, counted = counted, counted + 1
        struct.pack_into("q", shared, 0, counted)
        if fault is not None and here == fault.at:
            if fault.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(fault.kind, os.strerror(int(fault.kind)), path)

    sys.addaudithook(watch)
    sys.argv = ["dpa-engine", *map(str, words)]
    from dpa.engine.cli import main

    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 98
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder, and what it holds; folders end in a slash."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)) + "/" * path.is_dir(): path.read_bytes() if path.is_file() else b""
            for path in sorted(folder.rglob("*"))
        }

    return read


@pytest.fixture(scope="session")
def fault() -> type[Fault]:
    """Where a command is to fail: fault(at, kind)."""
    return Fault
