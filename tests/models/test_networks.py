"""Shapes and formulas of the networks, against closed forms and plain PyTorch operations."""

import pytest
import torch
from torch.nn import functional as F

from dpa.models.frameworks.base import DisentangledNetwork, NoRegressor
from dpa.models.networks.config import NetworkConfig, paper_preset, small_preset, tiny_preset
from dpa.models.networks.decoder import MASK_FLOOR, Decoder
from dpa.models.networks.encoder import Encoder, HeadConvolution, Localiser, bump_window
from dpa.models.networks.regressor import Regressor


@pytest.mark.parametrize("config", [tiny_preset(), small_preset(), paper_preset()], ids=lambda c: c.preset)
def test_shapes_of_the_presets(config: NetworkConfig) -> None:
    network = DisentangledNetwork(config, "nsd").eval()
    network.regressor = Regressor(config).eval()
    frames = torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        box = network.localise(frames)
        h_a, h_p = network.encode(network.crop(frames, box))
        rgb, mask = network.decode(h_a, h_p)
    side = config.crop_size
    assert box.shape == (2, 4) and h_a.shape == (2, 128) and h_p.shape == (2, 600)
    assert rgb.shape == (2, 3, side, side) and mask.shape == (2, 1, side, side)
    assert network.regress(h_p).shape == network.predict(frames).shape == (2, 17, 3)


def test_the_paper_encoder_ends_in_a_1024_by_8_by_8_map() -> None:
    encoder = Encoder(paper_preset()).eval()
    assert encoder.trunk(torch.rand(1, 3, 128, 128)).shape == (1, 1024, 8, 8)
    assert encoder.head(torch.rand(1, 1024, 8, 8)).shape == (1, 128, 1, 1)


def test_the_first_box_covers_seven_tenths_of_the_frame() -> None:
    config = small_preset()
    boxes = Localiser(config).eval()(torch.rand(3, 3, config.localiser_size, config.localiser_size))
    torch.testing.assert_close(boxes, torch.tensor([[0.7, 0.7, 0, 0]]).expand(3, 4), atol=1e-6, rtol=0)


def test_boxes_keep_to_their_ranges() -> None:
    config = small_preset()
    localiser = Localiser(config).eval()
    torch.nn.init.normal_(localiser.readout.weight, std=100)
    boxes = localiser(torch.rand(64, 3, config.localiser_size, config.localiser_size))
    assert boxes[:, :2].min() >= 0.2 and boxes[:, :2].max() <= 1 and boxes[:, 2:].abs().max() <= 0.8


def test_both_codes_are_affine_in_one_shared_sigmoid_vector(tiny_config: NetworkConfig) -> None:
    encoder = Encoder(tiny_config).eval()
    crops = torch.rand(5, 3, 16, 16)
    shared = encoder.head(encoder.trunk((crops - 0.5) * encoder.window)).flatten(1)
    assert shared.min() > 0 and shared.max() < 1
    h_a, h_p = encoder(crops)
    expected = shared @ encoder.codes.weight.T + encoder.codes.bias
    torch.testing.assert_close(torch.cat([h_a, h_p], 1), expected)


def test_head_convolution_is_a_convolution() -> None:
    layer = HeadConvolution(3, 5, 4).double()
    for side in (4, 7):
        x = torch.randn(2, 3, side, side, dtype=torch.float64)
        torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight, layer.bias))


def test_the_window_is_one_inside_and_vanishes_at_the_border() -> None:
    window = bump_window(64)[0, 0]
    assert window[32, 32] == pytest.approx(1) and window.max() <= 1
    assert bump_window(4096)[0, 0, 0].max() < 1e-5 and window[0].max() < 0.05
    torch.testing.assert_close(window, window.T)
    torch.testing.assert_close(window, window.flip(0, 1))


def test_mask_normalisation_follows_the_formula(tiny_config: NetworkConfig) -> None:
    decoder = Decoder(tiny_config)
    logit = torch.randn(3, 1, 16, 16) * 4
    mask = (1e-4 + (1 - 1e-4) / (1 + torch.exp(-logit))) * bump_window(16)
    expected = torch.stack([m / (m.max() + MASK_FLOOR) for m in mask])
    torch.testing.assert_close(decoder.normalise_mask(logit), expected)


def test_the_pose_part_of_the_decoder_can_be_computed_once(tiny_config: NetworkConfig) -> None:
    decoder = Decoder(tiny_config).eval()
    h_a, h_p = torch.randn(3, 4), torch.randn(3, 12)
    painted = decoder.paint(h_a, decoder.spread_pose(h_p))
    rgb, mask = decoder(h_a, h_p)
    torch.testing.assert_close(rgb, 1 / (1 + torch.exp(-4 * painted[:, :3])))
    torch.testing.assert_close(mask, decoder.normalise_mask(painted[:, 3:]))


def test_poses_are_root_relative_and_de_standardised(tiny_config: NetworkConfig) -> None:
    regressor = Regressor(tiny_config).eval()
    regressor.mean.normal_(std=100)
    regressor.std.uniform_(1, 50)
    h_p = torch.randn(4, 12)
    pose = regressor.standardised(h_p) * regressor.std + regressor.mean
    torch.testing.assert_close(regressor(h_p), pose - pose[:, :1])
    assert regressor(h_p)[:, 0].abs().max() == 0


def test_a_network_without_regressor_says_so(tiny_config: NetworkConfig) -> None:
    with pytest.raises(NoRegressor, match="fit-regressor"):
        DisentangledNetwork(tiny_config, "nsd").regress(torch.zeros(1, 12))
