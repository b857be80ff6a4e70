"""Whose code runs. Weights, graphs and data bring none. A file that holds a program runs only if the user
says so; a module is imported only if the user names it, never because a file does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from dpa.models.errors import InputError

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


class UntrustedCode(InputError):
    """A file that would run its own code, which nobody has said may run."""

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(
            found=f"{path}: a program of {kind}, which can do on this machine whatever you can",
            expected="ONNX, which only computes, or your word that you trust the file",
            remedy="add --trust-code (in Python: `with trusting_code():`) if you know where it comes from",
        )


class UnnamedCode(InputError):
    """A run's own file names a module to import; only the user may."""

    def __init__(self, run: Path, role: str, spec: str) -> None:
        super().__init__(
            found=f"{run}: its {role} is {spec}, whose code would run because a file says so",
            expected="the module named on the command line again",
            remedy=f"add --{role} {spec} if you know that code",
        )


def trusts_code() -> bool:
    """Whether files that hold programs may be run here."""
    return _trusting.get()


@contextmanager
def trusting_code(trusted: bool = True) -> Iterator[None]:
    """Within the block, files that hold programs (.pt, .ts, .pt2) may be loaded, and run."""
    token = _trusting.set(trusted)
    try:
        yield
    finally:
        _trusting.reset(token)


def require_trust(path: Path, kind: str) -> None:
    """Raises UntrustedCode outside `trusting_code`. kind: the program's format, for the error."""
    if not trusts_code():
        raise UntrustedCode(path, kind)


def require_named(run: Path, told: Mapping[str, str], named: Mapping[str, object]) -> None:
    """Raises UnnamedCode for a network whose code would run and that only the run's own files name.

    told: the run's networks by their role ("target", …), those alone that run code; named: what the command
    line says of each role. A network of two roles has to be named once.
    """
    for role, spec in told.items():
        if spec not in named.values():
            raise UnnamedCode(run, role, spec)
