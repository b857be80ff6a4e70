"""The measurement behind `bench sessions`: eager torch and every engine of a graph, batch by batch."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dpa.bench.roofline import count
from dpa.bench.session_process import Apart, Opening
from dpa.bench.session_timing import time_together
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.export.graphs import build_graph
from dpa.export.parity import probes
from dpa.models.frameworks.base import DisentangledNetwork

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
