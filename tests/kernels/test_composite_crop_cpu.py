"""The compiled CPU kernel against the twin in float64, value by value and gradients as vectors."""

import pytest
import torch

from dpa.kernels import composite_crop, reference
from dpa.kernels.backends import EXTENSION

pytestmark = pytest.mark.skipif(EXTENSION is None, reason="needs the compiled extension (pip install -e .)")

FORWARD = 1e-5  # what the operation promises, colours in [0, 1]
COSINE, RELATIVE_L2 = 1 - 1e-9, 1e-5  # gradients


def gradients(function, given, upstream):
    given = given.with_gradients()
    out = function(*given)
    return out.detach(), torch.autograd.grad(out, given.leaves(), upstream.to(out.dtype))


def assert_same_vector(found, expected, name):
    a, b = found.double().flatten(), expected.flatten()
    if b.norm() == 0:
        assert a.norm() == 0, name
        return
    assert torch.dot(a, b) / (a.norm() * b.norm()) > COSINE, name
    assert (a - b).norm() / b.norm() < RELATIVE_L2, name
    assert abs(float((a - b).sum())) <= RELATIVE_L2 * float(b.abs().sum()), f"{name}: signed bias"


def assert_agrees_with_the_twin(given, function):
    torch.manual_seed(1)
    upstream = torch.randn(len(given.rgb), 3, given.size, given.size)
    out, found = gradients(function, given, upstream)
    exact, expected = gradients(reference.composite_crop, given.double(), upstream)
    assert out.dtype == torch.float32
    assert (out - exact).abs().max() < FORWARD
    for name, a, b in zip(("rgb", "mask", "box_from", "box_to"), found, expected, strict=True):
        assert_same_vector(a, b, name)


def kernel(*arguments):
    return composite_crop(*arguments, backend="kernel")


def test_value_and_gradients(any_case):
    assert_agrees_with_the_twin(any_case, kernel)


@pytest.mark.parametrize("batch", [1, 17])
def test_batches(case, batch):
    assert_agrees_with_the_twin(case("attack crop", batch=batch, plates=4), kernel)


@pytest.mark.parametrize("seed", range(30))
def test_random_geometry(case, seed):
    g = torch.Generator().manual_seed(seed)
    s, height, width, size = torch.randint(1, 31, (4,), generator=g).tolist()
    given = case("odd sizes", batch=2, seed=seed)._replace(
        rgb=torch.rand(2, 3, s, s, generator=g),
        mask=torch.rand(2, 1, s, s, generator=g),
        plates=torch.rand(2, 3, height, width, generator=g),
        box_from=torch.rand(2, 4, generator=g) * 1.2 + 0.03,
        box_to=torch.rand(2, 4, generator=g) * 1.2 - torch.tensor([0.0, 0.0, 0.6, 0.6]),
        size=size,
    )
    assert_agrees_with_the_twin(given, kernel)


def test_empty_batch(case):
    given = case("odd sizes", batch=0).with_gradients()
    out = kernel(*given)
    assert out.shape == (0, 3, given.size, given.size)
    assert [g.shape for g in torch.autograd.grad(out.sum(), given.leaves())] == [
        t.shape for t in given.leaves()
    ]


@pytest.mark.parametrize("wanted", ["rgb", "mask", "box_from", "box_to"])
def test_each_gradient_alone(case, wanted):
    given = case("view partly outside")
    every = given.with_gradients()
    expected = torch.autograd.grad(kernel(*every).square().sum(), getattr(every, wanted))[0]
    alone = given._replace(**{wanted: getattr(given, wanted).clone().requires_grad_()})
    found = torch.autograd.grad(kernel(*alone).square().sum(), getattr(alone, wanted))[0]
    assert torch.equal(found, expected)


def test_the_number_of_threads_changes_no_bit(case):
    given = case("attack crop", batch=9).with_gradients()
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out = kernel(*given)
            results.append([out, *torch.autograd.grad(out.square().sum(), given.leaves())])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("argument", ["box_from", "box_to"])
def test_a_broken_box_breaks_its_own_sample_only(case, argument, broken):
    given = case("odd sizes")
    box = getattr(given, argument).clone()
    box[1] = broken
    upstream = torch.ones(3, 3, given.size, given.size)
    whole = gradients(kernel, given, upstream)
    out, grads = gradients(kernel, given._replace(**{argument: box}), upstream)
    twin = reference.composite_crop(*given._replace(**{argument: box}))
    assert out[1].isnan().any()
    assert torch.equal(out.isnan(), twin.isnan())
    for n in (0, 2):
        assert torch.equal(out[n], whole[0][n])
        assert all(torch.equal(a[n], b[n]) for a, b in zip(grads, whole[1], strict=True))


def test_a_sample_alone_equals_the_sample_in_its_batch(case):
    given = case("attack crop", batch=5)
    together = kernel(*given)
    for n in range(5):
        alone = given._replace(
            **{f: getattr(given, f)[n : n + 1] for f in ("rgb", "mask", "box_from", "plate_index", "box_to")}
        )
        assert torch.equal(kernel(*alone)[0], together[n])
