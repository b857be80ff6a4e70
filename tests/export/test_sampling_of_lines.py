"""Sampling by lines against grid_sample in float64, and the graph that it makes against the network."""

import pytest
import torch

from dpa.export.graphs import Graph, build_graph
from dpa.export.sampling import crop, neighbours, thumbnail
from dpa.kernels import reference
from dpa.models.frameworks.base import DisentangledNetwork

BOXES = torch.tensor(
    [
        (0.4, 0.6, 0.1, -0.2),
        (0.5, 0.5, 0.8, -0.7),  # partly outside, on two sides
        (1.3, 1.2, 0.0, 0.0),  # all around the frame
        (0.2, 0.2, 1.5, 1.5),  # wholly outside
        (1 / 17, 1 / 13, 0.0, 0.0),  # a single pixel
        (1.0, 1.0, 0.0, 0.0),
    ],
    dtype=torch.float64,
)


@pytest.fixture
def frames() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(len(BOXES), 3, 13, 17, dtype=torch.float64)


@pytest.mark.parametrize("size", [1, 8, 24])
def test_crop_is_grid_samples(frames, size: int) -> None:
    torch.testing.assert_close(crop(frames, BOXES, size), reference.crop(frames, BOXES, size))


@pytest.mark.parametrize(("height", "width", "size"), [(13, 17, 8), (16, 16, 8), (5, 40, 24), (2, 2, 9)])
def test_thumbnail_is_grid_samples_of_the_whole_frame(height: int, width: int, size: int) -> None:
    frames = torch.rand(2, 3, height, width, dtype=torch.float64)
    truth = reference.crop(frames, reference.whole_frame(frames), size)
    torch.testing.assert_close(thumbnail(frames, size), truth)


def test_weights_are_those_of_the_two_pixels_around() -> None:
    # pixel centres of 4 pixels lie at -0.75, -0.25, 0.25, 0.75; a pixel is 0.5 wide
    places = torch.tensor([-1.3, -1.0, -0.75, 0.1, 0.75, 1.0, 1.3], dtype=torch.float64)
    lower, near, far = neighbours(places, 4)
    assert lower.tolist() == [0, 0, 0, 1, 2, 2, 2]
    torch.testing.assert_close(near, places.new_tensor([0, 0.5, 1, 0.3, 0, 0, 0]))
    torch.testing.assert_close(far, places.new_tensor([0, 0, 0, 0.7, 1, 0.5, 0]))


def exported(graph: Graph) -> torch.nn.Module:
    assert graph.exported is not None
    return graph.exported


def test_what_is_exported_is_the_networks_prediction(network) -> None:
    some = torch.rand(5, 3, 21, 33, generator=torch.Generator().manual_seed(1))
    pose, box = exported(build_graph(network, "pose"))(some)
    torch.testing.assert_close(box, network.localise(some), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(pose, network.predict(some), rtol=1e-5, atol=2e-3)


def test_a_network_that_crops_in_its_own_way_is_exported_as_it_is(network) -> None:
    class Whole(DisentangledNetwork):
        def crop(self, frames, box):
            return torch.nn.functional.interpolate(frames, (self.crop_size, self.crop_size))

    own = Whole(network.config, "own")
    own.regressor = network.regressor
    assert build_graph(own, "pose").exported is None
