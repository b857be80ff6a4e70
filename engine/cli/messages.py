"""Notices of the rooms that compute, told on stderr: warnings, with -v also what is decided on the way, with
-q neither. The rooms themselves log and know of no terminal."""

import logging

import typer

from dpa.models.names import plain_lines


class ToStderr(logging.Handler):
    """One line a notice; stderr is looked up anew each time, so that it may be redirected."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"{record.levelname.lower()}: {plain_lines(record.getMessage())}", err=True)


def configure(*, verbose: bool = False, quiet: bool = False) -> None:
    """Sets what is told from now on."""
    log = logging.getLogger("dpa")
    log.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
    if not any(isinstance(handler, ToStderr) for handler in log.handlers):
        log.addHandler(ToStderr())
