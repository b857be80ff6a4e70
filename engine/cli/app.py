"""dpa-engine: every command by name, what it is for, and where it lives."""

import os
from typing import Annotated

import typer

import dpa
from dpa.engine.cli.lazy import Command, Group, lazily
from dpa.engine.cli.readable_errors import ReadableErrors

DATA = {
    "synth": Command(
        "dpa.engine.cli.data:synth",
        "Generate synthetic people: procedural motion, four calibrated cameras, known poses.",
    ),
    "redress": Command(
        "dpa.engine.cli.data:redress",
        "Render synthetic people, every moment in each outfit: what `train --framework oracle-swap` needs.",
    ),
    "info": Command(
        "dpa.engine.cli.data:info",
        "Print what a data set holds: frames, subjects, actions, cameras, size, fps, seed, bytes.",
    ),
    "look": Command(
        "dpa.engine.cli.data:look",
        "Make a page of a data set's clips with boxes, silhouettes, skeletons and figures, the worst first.",
    ),
    "import": Command("dpa.engine.cli.data_import:import_data", "Import a data set into a packed store."),
}

ZOO = {
    "list": Command(
        "dpa.engine.cli.lists:list_networks",
        "Print which networks can be named as zoo:NAME, and which can be built.",
    ),
    "show": Command(
        "dpa.engine.cli.lists:show_network",
        "Print a bundled network's model card: what trained it, what it measures, what to use it for.",
    ),
    "build": Command(
        "dpa.engine.cli.zoo:build",
        "Generate the data, train, fit the regressor, measure, and write the model card.",
    ),
    "card": Command(
        "dpa.engine.cli.zoo:card",
        "Measure a bundled network again, print its model card and keep it in a run directory.",
    ),
    "ablate": Command(
        "dpa.engine.cli.zoo:ablate",
        "Exchange appearance between people, and measure colours, pose, silhouette and codes.",
        networks=True,
    ),
    "calibrate": Command(
        "dpa.engine.cli.zoo:calibrate",
        "Print the calibration table from whichever reference networks there are.",
        networks=True,
    ),
}

RUNS = {
    "list": Command(
        "dpa.engine.cli.lists:list_runs",
        "Print the run directories below a folder: what each was told, and whether it ended.",
    ),
}

CACHE = {
    "show": Command(
        "dpa.engine.cli.lists:show_cache", "Print what is kept between runs, and how large it is."
    ),
    "clear": Command(
        "dpa.engine.cli.lists:clear_cache",
        "Remove what is kept between runs; it is made again when it is needed.",
    ),
}

BENCH = {
    "data": Command(
        "dpa.engine.cli.bench:data",
        "Time the opening of a packed store and the loading of random batches from a warm cache.",
    ),
    "import": Command(
        "dpa.engine.cli.bench:import_",
        "Time the import of JPEG files into a packed store, beside plain decoding and copying of the same.",
    ),
    "kernels": Command(
        "dpa.engine.cli.bench:kernels",
        "Time composite_crop, forward and backward, against compositing and cropping with grid_sample.",
    ),
    "sessions": Command(
        "dpa.engine.cli.bench_sessions:bench_sessions",
        "Time eager torch and every engine of a graph in one interleaved run.",
        networks=True,
    ),
    "attack": Command(
        "dpa.engine.cli.bench_attack:bench_attack",
        "Time whole attacks: samples/s to the same outcome, judged by the same fp32 target.",
        networks=True,
    ),
    "step": Command(
        "dpa.engine.cli.bench_step:bench_step",
        "Time one step: ms, samples/s, FLOP/s against a matrix product of the same run, peak memory.",
        networks=True,
    ),
    "gpu": Command(
        "dpa.engine.cli.bench_gpu:bench_gpu",
        "Examine a GPU: facts, correctness, speed; one process a section, within a budget.",
    ),
    "long-run": Command(
        "dpa.engine.cli.bench_long_run:long_run",
        "Prove that long runs survive: killed and resumed, an attack ends as one that was left alone.",
        networks=True,
    ),
}

COMMANDS: dict[str, Command | Group] = {
    "data": Group("Make, import and inspect data sets.", DATA),
    "train": Command("dpa.engine.cli.train:train", "Train a framework without any pose annotation."),
    "fit-regressor": Command(
        "dpa.engine.cli.train:fit_regressor",
        "Fit the pose regressor on pose codes, the encoder frozen and in eval mode.",
    ),
    "evaluate": Command(
        "dpa.engine.cli.train:evaluate",
        "PSNR of the reconstructed crop, IoU of the localiser's box, and pose errors, per subject.",
        networks=True,
    ),
    "attack": Command(
        "dpa.engine.cli.attack:attack",
        "Change nothing but a person's appearance until the network's 3D pose breaks.",
        networks=True,
    ),
    "analyze": Command(
        "dpa.engine.cli.analyze:analyze",
        "Ask what the appearance code and the pose code of a network really hold.",
        networks=True,
    ),
    "report": Command(
        "dpa.engine.cli.reproduce:report",
        "Tables 1, 2 and 4 of the paper and the cross-generator table: printed, recomputed and ours.",
    ),
    "reproduce": Command(
        "dpa.engine.cli.reproduce:reproduce",
        "Print the whole paper: predictions, attacks, analyses, then the page.",
        networks=True,
    ),
    "export": Command(
        "dpa.engine.cli.export:export_engines",
        "Export a network's graphs, compare each engine with fp32 torch in millimetres, and ship those that"
        " keep their limit, with a manifest of SHA-256 sums.",
        networks=True,
    ),
    "predict": Command(
        "dpa.engine.cli.predict:predict",
        "Predict 17 joints in mm, root-relative, camera axes, for every frame of every source.",
        networks=True,
    ),
    "check-framework": Command(
        "dpa.engine.cli.check_framework:check_framework",
        "Try a framework on random pictures: shapes, ranges, types, gradients, batches, determinism.",
        networks=True,
    ),
    "doctor": Command(
        "dpa.engine.cli.doctor:doctor",
        "Print versions, devices, which back-ends really work here, and what each extra still lacks.",
    ),
    "schema": Command("dpa.engine.cli.schema:schema", "Print the JSON Schema of a command's results.json."),
    "zoo": Group("The bundled networks: build them again, measure them again.", ZOO),
    "runs": Group("Run directories.", RUNS),
    "cache": Group("What is kept between runs.", CACHE),
    "bench": Group("Measure throughput and latency on this machine.", BENCH),
}

app = typer.Typer(
    name="dpa-engine",
    cls=lazily(COMMANDS, ReadableErrors),
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also say what is decided on the way.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors and results alone.")] = False,
) -> None:
    """How far are pose and appearance disentangled in self-supervised 3D human pose networks?"""
    if debug:
        os.environ["DPA_DEBUG"] = "1"
    from dpa.engine.cli.messages import configure

    configure(verbose=verbose, quiet=quiet)
