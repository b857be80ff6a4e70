"""The command line's last resort: an error becomes one readable message on stderr and an exit code."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from dpa.models.errors import DpaError
from dpa.models.names import plain_lines

INTERRUPTED = 130
"""128 + SIGINT, what shells report for a command stopped by Ctrl-C."""


TERMINATED = 143
"""128 + SIGTERM, what a scheduler or `kill` sends: it keeps what Ctrl-C keeps."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises Terminated meanwhile, in the main thread, where the system has such signals."""

    def raise_it(number: int, frame: object) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, raise_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def debugging() -> bool:
    """Whether tracebacks are wanted: --debug, or DPA_DEBUG=1 in the environment."""
    return os.environ.get("DPA_DEBUG", "") not in ("", "0")


class ReadableErrors(TyperGroup):
    """The root command. What the package raises on purpose is told without a traceback; anything else is
    a fault of the program and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Exit codes: 0 done; 1 the work failed; 2 bad usage or input; 130 interrupted; 143 terminated."""
        try:
            with _terminated_like_interrupted():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            ended = isinstance(error, Terminated)
            _tell("terminated" if ended else "interrupted", "", error)
            raise typer.Exit(TERMINATED if ended else INTERRUPTED) from error
        except DpaError as error:
            if debugging():
                raise
            _tell("error", str(error), error)
            raise typer.Exit(error.exit_code) from error
        except OSError as error:
            # Only files: a failure without a name has nothing to tell the user and stays a traceback.
            if debugging() or error.filename is None:
                raise
            _tell("error", f"{error.filename}: {error.strerror}", error)
            raise typer.Exit(1) from error


def _tell(title: str, message: str, error: BaseException) -> None:
    from rich.console import Console
    from rich.text import Text

    message = plain_lines(message)
    notes = plain_lines("\n".join(getattr(error, "__notes__", [])))
    text = Text.assemble((title, "bold red"), ": " if message else "", message)
    if notes:
        text.append(f"\n{notes}")
    Console(stderr=True).print(text, soft_wrap=True, highlight=False)
