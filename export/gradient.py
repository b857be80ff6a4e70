"""Value and gradient of the attack's step as one ONNX graph: autograd is traced away, what is left are
forward operations that any runtime has."""

from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from dpa.engine.attack.objective import Objective
from dpa.export.gradient_module import GradientModule
from dpa.export.gradient_pooling import average_pool_backward, max_pool, max_pool_backward
from dpa.export.onnx_export import OPSET, ExportFailed, forget_origin, quiet

INPUTS = ("h_a", "prefix", "mask", "box", "background", "reference")
OUTPUTS = ("error", "gradient")
aten = torch.ops.aten


def gradient_onnx(objective: Objective) -> bytes:
    """The serialised graph: h_a [B, A], prefix [B, C, t, t], mask [B, 1, s, s], box [B, 4], background
    [B, 3, H, W], reference [B, J, 3] → error [B] mm, gradient [B, A]; float32, the batch free.

    Weights are inside. Raises ExportFailed, and NotFusable for networks that are not the project's own.
    """
    module = GradientModule(objective)
    examples = _examples(module, objective)

    def value_and_gradient(h_a: Tensor, *scene: Tensor) -> tuple[Tensor, Tensor]:
        leaf = h_a.detach().requires_grad_()
        error = module(leaf, *scene)
        (gradient,) = torch.autograd.grad(error.sum(), leaf)
        return error, gradient

    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    try:
        with quiet():
            graph = make_fx(
                value_and_gradient,
                decomposition_table=_decompositions(),
                tracing_mode="symbolic",
                _allow_non_fake_inputs=True,
            )(*examples)
            program = torch.onnx.export(
                graph,
                examples,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes=tuple({0: batch} for _ in examples),
                verbose=False,
            )
    except Exception as error:
        raise ExportFailed(f"the gradient of the attack's step could not be exported: {error}") from error
    assert program is not None  # torch.onnx.export returns a program whenever dynamo=True
    proto: Any = program.model_proto
    forget_origin(proto)
    serialised: bytes = proto.SerializeToString()
    return serialised


def _examples(module: GradientModule, objective: Objective) -> tuple[Tensor, ...]:
    decoder = module.decoder
    weight = module.regressor.mean
    dtype, device = weight.dtype, weight.device
    joints = module.regressor.mean.shape[0]
    shapes: tuple[tuple[int, ...], ...] = (
        (decoder.appearance_dim,),
        (decoder.channels, decoder.side, decoder.side),
        (1, module.painted_size, module.painted_size),
        (4,),
        tuple(objective.plates.shape[1:]),
        (joints, 3),
    )
    # the tracer takes equal sizes for one and the same, and 1 for a constant
    taken = {1} | {size for shape in shapes for size in shape}
    batch = next(size for size in range(2, 99) if size not in taken)
    return tuple(torch.rand((batch, *shape), dtype=dtype, device=device) + 0.1 for shape in shapes)


def _decompositions() -> dict[Any, Any]:
    """PyTorch's core ones, the backward operations that ONNX does not know, and pooling, see its module."""
    return dict(core_aten_decompositions()) | {
        aten.convolution_backward.default: _convolution_backward,
        aten.avg_pool2d_backward.default: average_pool_backward,
        aten.max_pool2d_with_indices.default: max_pool,
        aten.max_pool2d_with_indices_backward.default: max_pool_backward,
    }


def _convolution_backward(
    upstream: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Any,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    wanted: list[bool],
) -> tuple[Tensor, None, None]:
    """The gradient to the input, a transposed convolution; parameters are frozen."""
    assert wanted[0] and not wanted[1] and not wanted[2] and not transposed
    missing = []
    for axis in (0, 1):
        kernel = (weight.shape[2 + axis] - 1) * dilation[axis] + 1
        missing.append(int((int(x.shape[2 + axis]) + 2 * padding[axis] - kernel) % stride[axis]))
    back = aten.convolution(upstream, weight, None, stride, padding, dilation, True, missing, groups)
    return back, None, None
