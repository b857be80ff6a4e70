"""dpa-engine: the command line. A command module is light; what is heavy it imports when it runs."""

import os
from typing import Annotated

import typer

import dpa
from dpa.bench.attack import bench_attack
from dpa.bench.kernels import kernels
from dpa.bench.long_run import long_run
from dpa.bench.sessions import bench_sessions
from dpa.bench.step import bench_step
from dpa.engine.commands import bench as bench_commands
from dpa.engine.commands.analyze import analyze
from dpa.engine.commands.attack import attack
from dpa.engine.commands.check_framework import check_framework
from dpa.engine.commands.data import info
from dpa.engine.commands.data_import import import_data
from dpa.engine.commands.data_redress import redress
from dpa.engine.commands.data_synth import synth
from dpa.engine.commands.doctor import doctor
from dpa.engine.commands.evaluate import evaluate
from dpa.engine.commands.fit_regressor import fit_regressor
from dpa.engine.commands.predict import predict
from dpa.engine.commands.report import report
from dpa.engine.commands.reproduce import reproduce
from dpa.engine.commands.train import train
from dpa.engine.commands.zoo import build, card
from dpa.engine.commands.zoo_ablate import ablate
from dpa.engine.commands.zoo_calibrate import calibrate
from dpa.engine.readable_errors import ReadableErrors
from dpa.export.cli import export_engines

app = typer.Typer(
    name="dpa-engine",
    cls=ReadableErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data = typer.Typer(no_args_is_help=True, help="Make, import and inspect data sets.")
zoo = typer.Typer(no_args_is_help=True, help="The bundled networks: build them again, measure them again.")
bench = typer.Typer(no_args_is_help=True, help="Measure throughput and latency on this machine.")

app.add_typer(data, name="data")
data.command("synth")(synth)
data.command("redress")(redress)
data.command("info")(info)
data.command("import")(import_data)
app.command("train")(train)
app.command("fit-regressor")(fit_regressor)
app.command("evaluate")(evaluate)
app.command("attack")(attack)
app.command("analyze")(analyze)
app.command("report")(report)
app.command("reproduce")(reproduce)
app.command("export")(export_engines)
app.command("predict")(predict)
app.command("check-framework")(check_framework)
app.command("doctor")(doctor)
app.add_typer(zoo, name="zoo")
zoo.command("build")(build)
zoo.command("card")(card)
zoo.command("ablate")(ablate)
zoo.command("calibrate")(calibrate)
app.add_typer(bench, name="bench")
bench.command("data")(bench_commands.data)
bench.command("import")(bench_commands.import_)
bench.command("kernels")(kernels)
bench.command("sessions")(bench_sessions)
bench.command("attack")(bench_attack)
bench.command("step")(bench_step)
bench.command("long-run")(long_run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dpa-engine {dpa.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (also DPA_DEBUG=1).")] = False,
) -> None:
    """How far are pose and appearance disentangled in self-supervised 3D human pose networks?"""
    if debug:
        os.environ["DPA_DEBUG"] = "1"


def main() -> None:
    """The console script."""
    app()
