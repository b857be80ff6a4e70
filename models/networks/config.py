"""Sizes of a network, and the presets: `tiny` (first tries, calibration), `small` (CPU), `medium` (sharper
people: trained on a GPU, run on a CPU) and `paper` (NSD's, for a GPU)."""

from typing import Annotated, Literal

from pydantic import Field

from dpa.models.config import Config

Size = Annotated[int, Field(ge=1, le=4096)]
"""A side in pixels, a number of channels, or a code's entries: more than any network of this kind has."""

Few = Annotated[int, Field(ge=1, le=64)]
"""A kernel, a stride, or how often a block is repeated."""

Share = Annotated[float, Field(ge=0, lt=1)]
"""Of activations that are dropped."""

Sizes = Annotated[tuple[Size, ...], Field(min_length=1, max_length=16)]
Fews = Annotated[tuple[Few, ...], Field(min_length=1, max_length=16)]


class TrunkConfig(Config):
    """A residual trunk. `strides` apply to the first block of each stage; a `pool` stem adds a 3×3/2
    max-pool after the first convolution."""

    block: Literal["basic", "bottleneck"]
    stem_channels: Size
    stem_kernel: Few
    stem_pool: bool
    planes: Sizes
    depths: Fews
    strides: Fews


class HeadConv(Config):
    """One unpadded convolution of the encoder's head; the last one of a head ends in a sigmoid."""

    channels: Size
    kernel: Few
    stride: Few = 1


class DecoderConfig(Config):
    """`start`: side of the first map; `pose_channels`: channels that the pose code is spread to;
    `blocks`: output channels of each ×2 block; `convolutions`: 3×3 convolutions in a block."""

    start: Size
    pose_channels: Size
    blocks: Sizes
    convolutions: Few
    dropout: Share = 0.3


class NetworkSizes(Config):
    """What attack, analyses and export ask of any network's sizes: crop and localiser input in pixels,
    entries of both codes, joints."""

    preset: str
    crop_size: int
    localiser_size: int
    appearance_dim: int = 128
    pose_dim: int = 600
    joints: int = 17


class NetworkConfig(NetworkSizes):
    """Everything that fixes the shapes of this project's networks."""

    localiser: TrunkConfig
    encoder: TrunkConfig
    head: Annotated[tuple[HeadConv, ...], Field(min_length=1, max_length=16)]
    decoder: DecoderConfig
    regressor_hidden: Annotated[int, Field(ge=1, le=1 << 16)]
    regressor_dropout: Share = 0.5


def paper_preset() -> NetworkConfig:
    """NSD's sizes (docs/architectures.md). The localiser's read-out from its flattened last map is ours."""
    return NetworkConfig(
        preset="paper",
        crop_size=128,
        localiser_size=128,
        localiser=TrunkConfig(
            block="basic",
            stem_channels=64,
            stem_kernel=7,
            stem_pool=True,
            planes=(64, 128, 256, 512),
            depths=(2, 2, 2, 2),
            strides=(1, 2, 2, 2),
        ),
        encoder=TrunkConfig(
            block="bottleneck",
            stem_channels=64,
            stem_kernel=7,
            stem_pool=True,
            planes=(64, 128, 256, 256),
            depths=(3, 4, 6, 3),
            strides=(1, 2, 2, 1),
        ),
        head=(HeadConv(channels=512, kernel=3), HeadConv(channels=128, kernel=5, stride=2)),
        decoder=DecoderConfig(start=16, pose_channels=128, blocks=(128, 64, 32), convolutions=3),
        regressor_hidden=2048,
    )


def _basic(stem: int, planes: tuple[int, ...], depth: int) -> TrunkConfig:
    """Basic blocks alone, each stage half the side of the one before."""
    return TrunkConfig(
        block="basic",
        stem_channels=stem,
        stem_kernel=3,
        stem_pool=False,
        planes=planes,
        depths=(depth,) * len(planes),
        strides=(2,) * len(planes),
    )


def small_preset() -> NetworkConfig:
    """The project's choice for two CPU cores: the same plan as NSD's at half the resolution; no dropout in
    the decoder, which training this short never overfits. In the regressor, less than 0.2 predicts better,
    and more lets attacks start from a smaller error."""
    return NetworkConfig(
        preset="small",
        crop_size=64,
        localiser_size=80,
        localiser=_basic(16, (16, 32, 64), 1),
        encoder=_basic(32, (48, 96, 128), 2),
        head=(HeadConv(channels=128, kernel=4),),
        decoder=DecoderConfig(start=8, pose_channels=32, blocks=(64, 32, 16), convolutions=2, dropout=0.0),
        regressor_hidden=768,
        regressor_dropout=0.2,
    )


def medium_preset() -> NetworkConfig:
    """The project's choice for people who are still people when enlarged: crops of twice the side of `small`,
    one more block in the decoder, twice as wide. The encoder's stem halves the crop twice, so that its trunk
    costs no more than three of `small`'s."""
    return NetworkConfig(
        preset="medium",
        crop_size=128,
        localiser_size=80,
        localiser=_basic(16, (16, 32, 64), 1),
        encoder=TrunkConfig(
            block="basic",
            stem_channels=32,
            stem_kernel=5,
            stem_pool=True,
            planes=(48, 96, 128, 160),
            depths=(1, 2, 2, 1),
            strides=(1, 2, 2, 2),
        ),
        head=(HeadConv(channels=128, kernel=4),),
        decoder=DecoderConfig(
            start=8, pose_channels=32, blocks=(128, 96, 48, 24), convolutions=2, dropout=0.0
        ),
        regressor_hidden=768,
        regressor_dropout=0.2,
    )


def tiny_preset() -> NetworkConfig:
    """The project's choice for first tries and for the networks that calibrate the measures: crop, boxes and
    codes of `small`, a third of its weights, twice its speed."""
    return NetworkConfig(
        preset="tiny",
        crop_size=64,
        localiser_size=80,
        localiser=_basic(16, (16, 32, 48), 1),
        encoder=_basic(24, (32, 64, 96), 1),
        head=(HeadConv(channels=96, kernel=4),),
        decoder=DecoderConfig(start=8, pose_channels=8, blocks=(64, 32, 16), convolutions=1, dropout=0.0),
        regressor_hidden=256,
        regressor_dropout=0.2,
    )


PRESETS = {"tiny": tiny_preset, "small": small_preset, "medium": medium_preset, "paper": paper_preset}
