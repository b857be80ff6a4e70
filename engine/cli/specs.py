"""What the commands that take networks have in common: how a network is named, and whose code may run."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from dpa.models.trust import trusting_code

NETWORK = "zoo:NAME, a run directory or my_module:load"

NAMED = "NAME=SPEC, SPEC a run directory or my_module:load"
"""Where several networks each need a name of their own."""

TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code", help="Let a program of TorchScript or torch.export run; it can do whatever you can."
    ),
]


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
