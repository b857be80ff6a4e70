"""`dpa-engine schema`: the form of what commands write, as JSON Schema."""

from typing import Annotated

import typer


def schema(
    name: Annotated[
        str, typer.Argument(help="Whose results: attack, analyze, evaluate, reproduce, calibrate.")
    ],
) -> None:
    """Print the JSON Schema of a command's results.json.

    calibrate: of calibration.json. Every such file names its version in `schema_version`.
    """
    import json

    from dpa.engine.runs.results import SCHEMAS
    from dpa.models.errors import InputError

    if name not in SCHEMAS:
        raise InputError(f"schema {name!r}", f"one of {', '.join(SCHEMAS)}", "name the command")
    typer.echo(json.dumps(SCHEMAS[name].model_json_schema(), indent=2))
