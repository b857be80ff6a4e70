"""The command line's last resort: an error becomes one readable message on stderr and an exit code."""

import os
from typing import Any

import typer
from typer.core import TyperGroup

from dpa.models.errors import DpaError

INTERRUPTED = 130
"""128 + SIGINT, what shells report for a command stopped by Ctrl-C."""


def debugging() -> bool:
    """Whether tracebacks are wanted: --debug, or DPA_DEBUG=1 in the environment."""
    return os.environ.get("DPA_DEBUG", "") not in ("", "0")


class ReadableErrors(TyperGroup):
    """The root command. What the package raises on purpose is told without a traceback; anything else is
    a fault of the program and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Exit codes: 0 done; 1 the work failed; 2 bad usage or bad input; 130 interrupted."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            _tell("interrupted", "", error)
            raise typer.Exit(INTERRUPTED) from error
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

    notes = "\n".join(getattr(error, "__notes__", []))
    text = Text.assemble((title, "bold red"), ": " if message else "", message)
    if notes:
        text.append(f"\n{notes}")
    Console(stderr=True).print(text, soft_wrap=True, highlight=False)
