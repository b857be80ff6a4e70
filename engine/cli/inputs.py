"""What most commands take: networks, whose code may run, and a data set or the evaluation set instead."""

import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dpa.models.errors import InputError
from dpa.models.trust import trusting_code

if TYPE_CHECKING:
    from dpa.models.data.store import PackedStore

NETWORK = "zoo:NAME, a run directory or my_module:load"

NAMED = "NAME=SPEC, SPEC a run directory or my_module:load"
"""Where several networks each need a name of their own."""

TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code", help="Let a program of TorchScript or torch.export run; it can do whatever you can."
    ),
]


def sound_numbers(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose numbers are finite and whose seed is one, whichever way they are given to it."""

    @functools.wraps(command)
    def checked(**given: object) -> None:
        for name, value in given.items():
            option = f"--{name.rstrip('_').replace('_', '-')} {value}"
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(option, "a finite number", "correct the option")
            if name == "seed" and isinstance(value, int) and not 0 <= value < 1 << 32:
                raise InputError(option, "a whole number from 0 to 4,294,967,295", "correct the option")
        command(**given)

    return checked


def takes_networks(command: Callable[..., None]) -> Callable[..., None]:
    """The command with --trust-code, which is in force while it runs."""

    @functools.wraps(command)
    def trusting(*arguments: object, trust_code: bool = False, **options: object) -> None:
        with trusting_code(trust_code):
            command(*arguments, **options)

    known = inspect.signature(command)
    kind = inspect.Parameter.KEYWORD_ONLY
    option = inspect.Parameter("trust_code", kind, default=False, annotation=TrustCode)
    # typer reads both: the order from the signature, the types from the annotations
    trusting.__signature__ = known.replace(parameters=[*known.parameters.values(), option])  # type: ignore[attr-defined]
    trusting.__annotations__ = {**command.__annotations__, "trust_code": TrustCode}
    return trusting


def open_store(source: Path | None) -> "PackedStore":
    """The packed set, or, where none is named, the default evaluation set, which is made once and kept."""
    from dpa.engine.cli.progress import making_evaluation_set
    from dpa.engine.evaluation_set import default_evaluation_set
    from dpa.models.data.store import PackedStore

    if source is not None:
        return PackedStore.open(source)
    with making_evaluation_set() as report:
        return default_evaluation_set(report)
