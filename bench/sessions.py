"""Eager torch and every engine of a graph, batch by batch: what `bench sessions` measures, of which networks,
what is asked of them, and the plot."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from dpa.bench.config import SessionBench
from dpa.bench.roofline import count
from dpa.bench.session_process import Apart, Opening, time_together
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.export.build import build_engines
from dpa.export.graphs import build_graph
from dpa.export.parity import LARGEST, LIMITS_MM, probes
from dpa.export.variants import choose_variants
from dpa.models.devices import device_name, pick_device
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import PRESETS
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import load_network

UNTRAINED = "untrained:"
SIDE = 160
"""Frames of untrained networks, as the zoo's are."""


@dataclass(frozen=True)
class BenchedNetwork:
    """A network to be timed, frames for parity and timing and other frames for calibration, each
    [N, 3, H, W] in [0, 1]. trained: whether millimetres mean anything."""

    network: DisentangledNetwork
    frames: Tensor
    calibration: Tensor
    trained: bool


def subject(spec: str, data: Path | None, count: int) -> BenchedNetwork:
    """A trained network (`zoo:NAME`, a run directory) with held-out frames, or `untrained:PRESET` with
    random weights and noise. Raises InputError for an unknown preset."""
    if not spec.startswith(UNTRAINED):
        from dpa.export.parity import held_out_frames

        return BenchedNetwork(load_network(spec), *held_out_frames(data, count), trained=True)
    preset = spec.removeprefix(UNTRAINED)
    if preset not in PRESETS:
        raise InputError(
            f"preset {preset!r}", f"one of {', '.join(PRESETS)}", f"name {UNTRAINED}{next(iter(PRESETS))}"
        )
    return BenchedNetwork(untrained(preset), noise(count, 1), noise(count, 2), trained=False)


def untrained(preset: str) -> DisentangledNetwork:
    """Seeded random weights; batch statistics that are not those of a new network, so that nothing is
    trivially zero or one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = PRESETS[preset]()
        network = DisentangledNetwork(config, "nsd")
        network.regressor = Regressor(config)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.1)
        return network.eval().requires_grad_(False)


def noise(count: int, seed: int) -> Tensor:
    """[count, 3, 160, 160] in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 20, 20, generator=generator)
    return nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bilinear").clamp(0, 1)


ELSEWHERE = {"cpu": "tensorrt", "cuda": "openvino"}
"""The back-end that a device does not have."""


def measure_sessions(
    network: DisentangledNetwork,
    graph: str,
    folder: EngineFolder,
    frames: Tensor,
    batches: Sequence[int],
    threads: int,
    seconds: float,
    device: str = "cpu",
) -> list[dict[str, Any]]:
    """One row for each session and batch: graph, backend, precision, batch, images_per_s (compute alone,
    at the median), images_per_s_end_to_end (from uint8 frames; the pose graph only), the fields of
    Latency, mpjpe_shift_mm, gflop_per_image (convolutions and products of the graph in torch). Each session
    runs in a process of its own.

    network, frames: on the CPU, frames [N, 3, H, W] in [0, 1], repeated where a batch is larger; seconds:
    for each measurement; device: where all run, 'cpu' or 'cuda', back-ends without it left out.
    """
    # eager torch first, then every engine of the graph that runs on the device
    plans = [(Opening(network, graph, "torch", "fp32", threads, device), 0.0)]
    plans += [
        (Opening(folder.path, graph, entry.backend, entry.precision, threads, device), entry.parity.mean_mm)
        for entry in folder.manifest.engines
        if entry.graph == graph and entry.backend != ELSEWHERE[device]
    ]
    gflop = _gflop(network, graph, frames[:1])
    rows = []
    with ExitStack() as stack:
        sessions = [stack.enter_context(Apart(opening)) for opening, _ in plans]
        for size in batches:
            repeated = frames.repeat(-(-size // len(frames)), 1, 1, 1)[:size]
            parts = [probe.feeds for probe in probes(network, graph, repeated)]
            feeds = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
            for session in sessions:
                session.feed(feeds)
            alone = time_together(sessions, seconds)
            whole = _end_to_end(sessions, repeated, seconds) if graph == "pose" else [None] * len(sessions)
            for (opening, shift_mm), latency, total_ms in zip(plans, alone, whole, strict=True):
                rows.append(
                    {
                        "graph": graph,
                        "backend": opening.backend,
                        "precision": opening.precision,
                        "batch": size,
                        "images_per_s": size / latency.p50_ms * 1e3,
                        "images_per_s_end_to_end": None if total_ms is None else size / total_ms * 1e3,
                        **asdict(latency),
                        "mpjpe_shift_mm": shift_mm,
                        "gflop_per_image": gflop,
                    }
                )
    return rows


def _gflop(network: DisentangledNetwork, graph: str, frames: Tensor) -> float:
    own = build_graph(network, graph)
    feeds = next(probes(network, graph, frames)).feeds
    with torch.no_grad():
        return count(lambda: own.module(*(feeds[spec.name] for spec in own.inputs)))[0] / frames.shape[0]


def _end_to_end(sessions: list[Apart], frames: Tensor, seconds: float) -> list[float]:
    """Median milliseconds from uint8 frames [B, H, W, 3] to poses."""
    stored = (frames * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    for session in sessions:
        session.feed({}, stored)
    return [latency.p50_ms for latency in time_together(sessions, seconds / 2)]


ASKED = {("onnxruntime", "fp32"): 1.8, ("onnxruntime", "int8"): 4.0, ("openvino", "bf16"): 2.5}
"""Times eager torch's images/s: `pose` on two cores at batch 32 (the project's choice)."""
GRAPH, BATCH = "pose", 32
LITTLE_GFLOP = 1.0
"""Of an image. The small preset has 0.1, the paper's sizes several."""


def missed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """{network, backend, precision, ratio, asked, gflop_per_image} of every session that was asked for more;
    none for other graphs and batches. rows: as `measure_sessions` makes them, with their network."""
    found = []
    measured = [row for row in rows if (row["graph"], row["batch"]) == (GRAPH, BATCH)]
    torch_rates = {row["network"]: row["images_per_s"] for row in measured if row["backend"] == "torch"}
    for row in measured:
        asked = ASKED.get((row["backend"], row["precision"]), 0.0)
        ratio = row["images_per_s"] / torch_rates[row["network"]]
        if ratio < asked:
            names = {key: row[key] for key in ("network", "backend", "precision", "gflop_per_image")}
            found.append(names | {"ratio": ratio, "asked": asked})
    return found


def reasons(misses: list[dict[str, Any]]) -> list[str]:
    """A sentence for each, and one that says why, for networks that are small."""
    lines = [
        f"{miss['network']}: {miss['backend']} {miss['precision']} reaches {miss['ratio']:.2f} times eager "
        f"torch, asked for {miss['asked']:g} (two cores, {GRAPH}, batch {BATCH})."
        for miss in misses
    ]
    for network, gflop in {miss["network"]: miss["gflop_per_image"] for miss in misses}.items():
        if gflop < LITTLE_GFLOP:
            lines.append(
                f"{network} is {gflop:.2f} GFLOP an image: at so little, what precision does not speed up is "
                "a large part of an engine's time: sampling the frame twice, the localiser and φ, fp32 in "
                "every engine. untrained:paper shows the same engines at the paper's sizes."
            )
    return lines


def plot_sessions(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the plot to `path`, in the format of its suffix."""
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(1 + 6 * len(networks), 4.5), layout="constrained")
    for number, network in enumerate(networks, start=1):
        lines: dict[str, list[tuple[int, float]]] = {}
        for row in (one for one in rows if one["network"] == network):
            shift = row["mpjpe_shift_mm"]
            name = f"{row['backend']} {row['precision']}" + ("" if shift is None else f", {shift:.2g} mm")
            lines.setdefault(name, []).append((row["batch"], row["images_per_s"]))
        axes = figure.add_subplot(1, len(networks), number, title=network)
        axes.set(xlabel="batch", ylabel="images/s, compute alone")
        for name, points in lines.items():
            axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({row["batch"] for row in rows}), sorted({row["batch"] for row in rows}))
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


EXPORTED_AS = {"onnxruntime": "onnx", "openvino": "openvino", "tensorrt": "tensorrt", "torch": "onnx"}
"""A row's back-end → what `--backend` calls it; torch takes part in every run."""


def bench_sessions(
    networks: Sequence[str], settings: SessionBench, progress: Callable[[str], None] = lambda name: None
) -> dict[str, Any]:
    """The document that `bench sessions` prints. progress: called with each network's name. Raises InputError
    for an engine folder of several networks."""
    engine, graph, batches = settings.engine, settings.graph, settings.batch
    if engine is not None and len(networks) > 1:
        raise InputError(
            f"--engine {engine} for {len(networks)} networks", "one network", "leave out --engine"
        )
    place = pick_device(settings.device)
    torch.set_num_threads(settings.threads)
    tail = [*(f"--batch {size}" for size in batches), f"--threads {settings.threads}"]
    tail += [f"--seconds {settings.seconds:g}", f"--frames {settings.frames}", f"--device {settings.device}"]
    tail += [f"--data {settings.data}"] if settings.data else []
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for network in networks:
        progress(network)
        made, refused = _measure(network, settings)
        for row in made:
            chosen = f"--backend {EXPORTED_AS[row['backend']]} --precision {row['precision']}"
            chosen = f"--engine {engine}" if engine else chosen
            own = [f"--batch {row['batch']}", *tail[len(batches) :]]
            command = " ".join(["dpa-engine bench sessions", network, f"--graph {graph}", chosen, *own])
            rows.append({"network": network, **row, "command": command})
        rejected += [{"network": network, **entry} for entry in refused]
    chosen = f"--backend {settings.backend} --precision {settings.precision}"
    chosen = f"--engine {engine}" if engine else chosen
    return {
        "rows": rows,
        "rejected": rejected,
        "missed": missed(rows) if settings.device == "cpu" else [],
        "device": device_name(place),
        "threads": settings.threads,
        "command": " ".join(["dpa-engine bench sessions", *networks, f"--graph {graph}", chosen, *tail]),
    }


def _measure(network: str, settings: SessionBench) -> tuple[list[dict[str, Any]], list[Any]]:
    """Rows of one network, and the engines that were over their limit."""
    one = subject(network, settings.data, settings.frames)
    rejected: list[Any] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = settings.engine or Path(temporary) / "engines"
        if settings.engine is None:
            variants = choose_variants(settings.backend.split(","), settings.precision.split(","))
            limits = LIMITS_MM if one.trained else dict.fromkeys(LIMITS_MM, LARGEST)
            report = build_engines(
                one.network,
                folder,
                variants,
                one.frames,
                one.calibration,
                source=network,
                graphs=[settings.graph],
                limits_mm=limits,
                buckets=settings.batch,
            )
            rejected = report.as_json()["rejected"]
        rows = measure_sessions(
            one.network,
            settings.graph,
            EngineFolder(folder),
            one.frames,
            settings.batch,
            settings.threads,
            settings.seconds,
            settings.device,
        )
    if not one.trained:
        rows = [row | {"mpjpe_shift_mm": None} for row in rows]
    return rows, rejected
