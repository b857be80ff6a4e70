"""The measurement behind `bench sessions`: eager torch and every engine of a graph, batch by batch."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from dpa.bench.session_timing import Contender, time_together
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.torch_session import TorchSession
from dpa.export.graphs import build_graph
from dpa.export.probes import probes
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
    Latency, mpjpe_shift_mm.

    frames: [N, 3, H, W] in [0, 1], repeated where a batch is larger; seconds: for each measurement;
    device: where all run, 'cpu' or 'cuda', back-ends without it left out. The network is moved there.
    """
    network, frames = network.to(device), frames.to(device)
    contenders = _contenders(network, graph, folder, threads, device)
    rows = []
    for size in batches:
        repeated = frames.repeat(-(-size // len(frames)), 1, 1, 1)[:size]
        parts = [probe.feeds for probe in probes(network, graph, repeated)]
        feeds = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        alone = time_together(contenders, feeds, seconds)
        whole = _end_to_end(contenders, repeated, seconds) if graph == "pose" else [None] * len(contenders)
        for one, latency, total_ms in zip(contenders, alone, whole, strict=True):
            rows.append(
                {
                    "graph": graph,
                    "backend": one.session.backend,
                    "precision": one.precision,
                    "batch": size,
                    "images_per_s": size / latency.p50_ms * 1e3,
                    "images_per_s_end_to_end": None if total_ms is None else size / total_ms * 1e3,
                    **asdict(latency),
                    "mpjpe_shift_mm": one.shift_mm,
                }
            )
    return rows


def _contenders(
    network: DisentangledNetwork, graph: str, folder: EngineFolder, threads: int, device: str
) -> list[Contender]:
    """Eager torch first, then every engine of the graph that runs on the device."""
    own = build_graph(network, graph)
    contenders = [Contender(TorchSession(own.module, own.inputs, own.outputs), "fp32", 0.0)]
    for entry in folder.manifest.engines:
        if entry.graph == graph and entry.backend != ELSEWHERE[device]:
            session = folder.session(
                graph, precision=entry.precision, backend=entry.backend, threads=threads, device=device
            )
            contenders.append(Contender(session, entry.precision, entry.parity.mean_mm))
    return contenders


def _end_to_end(contenders: list[Contender], frames: Tensor, seconds: float) -> list[float]:
    """Median milliseconds from uint8 frames [B, H, W, 3] to poses."""
    stored = (frames * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu()

    def prepare() -> dict[str, Tensor]:
        ready = stored.to(frames.device).permute(0, 3, 1, 2).to(torch.float32)
        return {"frames": ready.contiguous().div_(255)}

    timed = time_together(contenders, prepare(), seconds / 2, prepare)
    return [latency.p50_ms for latency in timed]
