"""Value and gradient of the attack's step as one ONNX graph: the objective is written with every sampling as
matrix products, autograd is traced away, and what is left are forward operations that any runtime has. What
was exported is kept in the cache folder."""

import copy
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from dpa.engine.attack.objective import Objective, mpjpe
from dpa.engine.attack.steps.fused import SplitDecoder, fold_batch_norms, own_copy, without_pose
from dpa.engine.cache import cache_folder
from dpa.engine.runs.environment import versions
from dpa.export.engine_writer import PACKAGES
from dpa.export.onnx_export import OPSET, ExportFailed, forget_origin, quiet
from dpa.export.pooling import average_pool_backward, max_pool, max_pool_backward
from dpa.export.sampling import Doubling, centres, crop_weights, hat, paste_weights, sample
from dpa.models.atomic import write_bytes
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.decoder import UpBlock

log = logging.getLogger(__name__)


class DoublingBlock(nn.Module):
    """An UpBlock whose upsampling is a matrix product. [B, C, side, side] → [B, outputs, 2·side, 2·side]."""

    def __init__(self, block: UpBlock, side: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.doubling, self.convolutions = Doubling(side, dtype), block.convolutions

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolutions(self.doubling(x))
        return y


class GradientModule(nn.Module):
    """Error of the target at h_a, in mm per sample, from copies of the networks with folded batch
    normalisation and the split decoder. Raises NotFusable for networks that are not the project's own."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.freeze_box, self.clamp = objective.freeze_box, objective.clamp
        target, generator = own_copy(objective.target), own_copy(objective.generator)
        fold_batch_norms(target)
        assert target.regressor is not None  # the target has predicted q
        self.localiser, self.encoder = target.localiser, target.encoder
        self.regressor = copy.deepcopy(target.regressor)
        self.crop_size, self.localiser_size = target.crop_size, target.localiser_size
        self.painted_size = generator.crop_size
        dtype = next(generator.parameters()).dtype
        decoder = without_pose(generator.decoder, dtype)
        if isinstance(decoder, SplitDecoder):
            decoder.rest = _doubling(decoder.rest, decoder.side, dtype)
        else:
            for name, layers in decoder.decoder.named_children():
                if isinstance(layers, nn.Sequential):
                    setattr(decoder.decoder, name, _doubling(layers, decoder.side, dtype))
        decoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.decoder = decoder
        self.requires_grad_(False)

    def forward(
        self, h_a: Tensor, prefix: Tensor, mask: Tensor, box: Tensor, background: Tensor, reference: Tensor
    ) -> Tensor:
        """h_a [B, A], prefix as the decoder's, mask [B, 1, s, s], box [B, 4], background [B, 3, H, W],
        reference [B, J, 3] mm → error [B] mm."""
        rgb = self.decoder(h_a, prefix)
        rgb = rgb.clamp(0, 1) if self.clamp else rgb
        size, (height, width) = mask.shape[-1], background.shape[-2:]
        alpha = sample(mask, *paste_weights(box, size, height, width, border=False))
        colour = sample(rgb, *paste_weights(box, size, height, width, border=True))
        frame = background + alpha * (colour - background)
        whole = centres(self.localiser_size, h_a)
        small = sample(frame, hat(whole, height), hat(whole, width))
        seen_box = self.localiser(small.detach() if self.freeze_box else small)
        seen = sample(frame, *crop_weights(seen_box, self.crop_size, height, width))
        pose = self.regressor(self.encoder(seen)[1])
        return mpjpe(pose, reference)


def _doubling(layers: nn.Sequential, side: int, dtype: torch.dtype) -> nn.Sequential:
    """The same layers, fed [B, C, side, side], with a DoublingBlock for every UpBlock."""
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, UpBlock):
            made.append(DoublingBlock(layer, side, dtype))
            side *= 2
        else:
            made.append(layer)
    return nn.Sequential(*made)


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


class CachedGradients:
    """See engine.attack.steps.compiled. A graph is made anew when weights, options, the plates' size or
    package versions change, and when its bytes no longer have the SHA-256 in its name. folder: default
    cache_folder() / "step-graphs"."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def graph(self, objective: Objective) -> bytes:
        """The serialised graph. Raises as dpa.export.gradient.gradient_onnx."""
        key = self._key(objective)
        if key is not None and (known := self._read(key)) is not None:
            return known
        made = gradient_onnx(objective)
        if key is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            for stale in self.folder.glob(f"{key}*.onnx"):
                stale.unlink(missing_ok=True)
            write_bytes(self.folder / f"{key}-{hashlib.sha256(made).hexdigest()}.onnx", made)
        return made

    def kept(self, objective: Objective) -> bool:
        """Whether the graph is in the cache."""
        key = self._key(objective)
        return key is not None and self._read(key) is not None

    @property
    def folder(self) -> Path:
        """Where the graphs are kept, each as KEY-SHA256.onnx."""
        return self._folder or cache_folder() / "step-graphs"

    def _read(self, key: str) -> bytes | None:
        """The kept graph, if its bytes are still those that its name tells."""
        for path in self.folder.glob(f"{key}-*.onnx"):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == path.stem.removeprefix(f"{key}-"):
                return data
            log.warning("%s: damaged, and made again", path)
        return None

    def _key(self, objective: Objective) -> str | None:
        """None for networks that are not the project's own, which cannot be exported either."""
        networks = (objective.generator, objective.target)
        if not all(isinstance(network, DisentangledNetwork) for network in networks):
            return None
        made_from = [
            *(network.fingerprint() for network in networks if isinstance(network, DisentangledNetwork)),
            objective.freeze_box,
            objective.clamp,
            list(objective.plates.shape[1:]),
            versions(PACKAGES),
        ]
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:32]
