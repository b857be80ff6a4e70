"""Every network of the zoo as fp32 ONNX against torch, in mm, at batches that were not traced."""

import pytest
import torch
from torch import Tensor

from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.export.graphs import build_graph
from dpa.export.onnx_export import onnx_bytes
from dpa.models.training.checkpoint import load_network, zoo_names

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")

LIMIT_MM = 0.01
"""Of poses up to a metre; on larger ones, which nonsense pictures may give, of each metre."""


def textures(count: int, side: int = 160) -> Tensor:
    """[count, 3, side, side] in [0, 1]: random fields, coarse and fine, no two alike."""
    generator = torch.Generator().manual_seed(11)
    fields = [torch.rand(count, 3, coarse, coarse, generator=generator) for coarse in (4, 20, 80)]
    scaled = [torch.nn.functional.interpolate(field, (side, side), mode="bilinear") for field in fields]
    return torch.stack(scaled).mean(dim=0)


@pytest.mark.parametrize("name", zoo_names())
def test_poses_agree_at_every_batch(name: str) -> None:
    graph = build_graph(load_network(name), "pose")
    session = OnnxRuntimeSession(onnx_bytes(graph))
    frames = textures(256)
    with torch.inference_mode():
        truth = torch.cat([graph.module(part)[0] for part in frames.split(64)])
    assert truth.std(dim=0).max() > 1, "poses that do not differ would test nothing"
    limit = LIMIT_MM * max(1.0, float(truth.abs().max()) / 1000)
    for batch in (1, 3, 17, 256):
        pose = session.run(frames[-batch:])["pose"]
        shift_mm = (pose - truth[-batch:]).norm(dim=-1)
        assert shift_mm.max() < limit, f"batch {batch}: {float(shift_mm.max())} mm"
