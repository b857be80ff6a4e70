"""dpa-engine: the command line. A command module is light; what is heavy it imports when it runs."""

import os
from typing import Annotated

import typer

import dpa
from dpa.engine.cli import bench as bench_commands
from dpa.engine.cli.analyze import analyze
from dpa.engine.cli.attack import attack
from dpa.engine.cli.bench_attack import bench_attack
from dpa.engine.cli.bench_long_run import long_run
from dpa.engine.cli.bench_sessions import bench_sessions
from dpa.engine.cli.bench_step import bench_step
from dpa.engine.cli.check_framework import check_framework
from dpa.engine.cli.data import info, redress, synth
from dpa.engine.cli.data_import import import_data
from dpa.engine.cli.doctor import doctor
from dpa.engine.cli.export import export_engines
from dpa.engine.cli.inputs import takes_networks
from dpa.engine.cli.predict import predict
from dpa.engine.cli.readable_errors import ReadableErrors
from dpa.engine.cli.reproduce import report, reproduce
from dpa.engine.cli.train import evaluate, fit_regressor, train
from dpa.engine.cli.zoo import ablate, build, calibrate, card

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
app.command("evaluate")(takes_networks(evaluate))
app.command("attack")(takes_networks(attack))
app.command("analyze")(takes_networks(analyze))
app.command("report")(report)
app.command("reproduce")(takes_networks(reproduce))
app.command("export")(takes_networks(export_engines))
app.command("predict")(takes_networks(predict))
app.command("check-framework")(takes_networks(check_framework))
app.command("doctor")(doctor)
app.add_typer(zoo, name="zoo")
zoo.command("build")(build)
zoo.command("card")(card)
zoo.command("ablate")(takes_networks(ablate))
zoo.command("calibrate")(takes_networks(calibrate))
app.add_typer(bench, name="bench")
bench.command("data")(bench_commands.data)
bench.command("import")(bench_commands.import_)
bench.command("kernels")(bench_commands.kernels)
bench.command("sessions")(takes_networks(bench_sessions))
bench.command("attack")(takes_networks(bench_attack))
bench.command("step")(takes_networks(bench_step))
bench.command("long-run")(takes_networks(long_run))


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
