"""What composite_crop takes (strides, halves, float64) and what it refuses, by name."""

import pytest
import torch

from dpa.kernels import composite_crop, errors, reference


@pytest.mark.parametrize("field", ["rgb", "mask", "plates"])
def test_channels_last(case, field):
    given = case("odd sizes")
    other = given._replace(**{field: getattr(given, field).contiguous(memory_format=torch.channels_last)})
    assert torch.equal(composite_crop(*other), composite_crop(*given))


def test_views_and_expanded_boxes(case):
    given = case("odd sizes")
    wide = torch.rand(3, 4, 9, 9)
    box = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(3, 4)
    views = given._replace(rgb=wide[:, :3, 1:8, 1:8], mask=wide[:, 3:, 1:8, 1:8], box_to=box)
    packed = views._replace(rgb=views.rgb.clone(), mask=views.mask.clone(), box_to=box.clone())
    assert torch.equal(composite_crop(*views), composite_crop(*packed))


def test_gradient_reaches_an_expanded_box_and_a_transposed_crop(case):
    given = case("odd sizes")
    box = torch.tensor([[0.7, 0.6, 0.1, -0.2]], requires_grad=True)
    rgb = given.rgb.transpose(2, 3).requires_grad_()
    found, expected = (
        torch.autograd.grad(f(*given._replace(rgb=rgb, box_to=box.expand(3, 4))).square().sum(), [box, rgb])
        for f in (composite_crop, reference.composite_crop)
    )
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


# one unit in the last place of a result in [0, 1]
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2**-11), (torch.bfloat16, 2**-8)])
@pytest.mark.parametrize("half_mask", [True, False])
def test_half_precision_colours(case, dtype, tolerance, half_mask):
    given = case("odd sizes")
    given = given._replace(rgb=given.rgb.to(dtype), mask=given.mask.to(dtype) if half_mask else given.mask)
    given = given.with_gradients()
    out = composite_crop(*given)
    assert out.dtype == dtype
    exact = given.double().with_gradients()
    reference_out = reference.composite_crop(*exact)
    assert (out - reference_out).abs().max() <= tolerance
    found = torch.autograd.grad(out.sum(), given.leaves())
    expected = torch.autograd.grad(reference_out.sum(), exact.leaves())
    for leaf, a, b in zip(given.leaves(), found, expected, strict=True):
        assert a.dtype == leaf.dtype
        assert (a - b).norm() <= 2 * tolerance * b.norm()


def test_float64_is_the_twin(case):
    given = case("odd sizes").double()
    assert torch.equal(composite_crop(*given), reference.composite_crop(*given))


def test_backend_twin_is_the_twin(case):
    given = case("odd sizes")
    assert torch.equal(composite_crop(*given, backend="twin"), reference.composite_crop(*given))


def test_unknown_backend(case):
    with pytest.raises(ValueError, match="auto, kernel, twin"):
        composite_crop(*case("odd sizes"), backend="fast")


def test_no_kernel_for_float64(case):
    with pytest.raises(errors.DeviceMismatch, match="float64"):
        composite_crop(*case("odd sizes").double(), backend="kernel")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rgb", torch.rand(3, 7, 7)),
        ("rgb", torch.rand(3, 4, 7, 7)),
        ("rgb", torch.rand(3, 3, 7, 8)),
        ("mask", torch.rand(3, 3, 7, 7)),
        ("mask", torch.rand(2, 1, 7, 7)),
        ("box_from", torch.rand(3, 3)),
        ("box_to", torch.rand(1, 4)),
        ("plates", torch.rand(2, 1, 9, 9)),
        ("plates", torch.rand(0, 3, 9, 9)),
        ("plate_index", torch.zeros(2, dtype=torch.int64)),
        ("size", 0),
    ],
)
def test_shapes_that_do_not_fit(case, field, value):
    with pytest.raises(errors.ShapeMismatch) as caught:
        composite_crop(*case("odd sizes")._replace(**{field: value}))
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("field", "dtype"),
    [
        ("rgb", torch.uint8),
        ("rgb", torch.float64),
        ("mask", torch.bfloat16),
        ("box_from", torch.bfloat16),
        ("box_to", torch.float64),
        ("plates", torch.uint8),
        ("plate_index", torch.int32),
    ],
)
def test_dtypes_that_do_not_mix(case, field, dtype):
    given = case("odd sizes")
    with pytest.raises(errors.DtypeMismatch):
        composite_crop(*given._replace(**{field: getattr(given, field).to(dtype)}))


def test_tensors_on_two_devices(case):
    given = case("odd sizes")
    with pytest.raises(errors.DeviceMismatch, match="plates is on meta"):
        composite_crop(*given._replace(plates=given.plates.to("meta")))


@pytest.mark.parametrize("index", [-1, 2])
@pytest.mark.parametrize("backend", ["auto", "twin"])
def test_plate_index_out_of_range(case, index, backend):
    given = case("odd sizes")
    wrong = given.plate_index.clone()
    wrong[1] = index
    with pytest.raises(errors.PlateIndexError, match=r"\[0, 2\)"):
        composite_crop(*given._replace(plate_index=wrong), backend=backend)


@pytest.mark.parametrize("backend", ["auto", "twin"])
def test_a_gradient_to_the_plates_raises(case, backend):
    given = case("odd sizes")
    with pytest.raises(errors.UnsupportedGradient, match="plates"):
        composite_crop(*given._replace(plates=given.plates.requires_grad_()), backend=backend)
    with torch.no_grad():
        composite_crop(*given, backend=backend)
