"""composite_crop as a PyTorch operator: schema, fake tensors, compilation, double backward, no extension."""

import subprocess
import sys

import pytest
import torch

from dpa.kernels import composite_crop, errors
from dpa.kernels.backends import EXTENSION
from dpa.kernels.operators import composite_crop_op

needs_extension = pytest.mark.skipif(EXTENSION is None, reason="needs the compiled extension")


def test_opcheck(case):
    given = case("odd sizes", batch=2).with_gradients()
    torch.library.opcheck(composite_crop_op, tuple(given))


@needs_extension
def test_compiles_into_one_graph(case):
    given = case("odd sizes").with_gradients()

    def loss(*arguments):
        return composite_crop(*arguments).square().sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    found = torch.autograd.grad(compiled(*given), given.leaves())
    expected = torch.autograd.grad(loss(*given), given.leaves())
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@needs_extension
def test_a_second_derivative_raises(case):
    given = case("odd sizes").with_gradients()
    (first,) = torch.autograd.grad(composite_crop(*given).square().sum(), given.rgb, create_graph=True)
    with pytest.raises(RuntimeError, match="no autograd formula"):
        first.sum().backward()


def test_the_operator_itself_refuses_a_gradient_to_the_plates(case):
    given = case("odd sizes").with_gradients()
    out = composite_crop_op(*given._replace(plates=given.plates.detach().requires_grad_()))
    with pytest.raises(errors.UnsupportedGradient):
        out.sum().backward()


def test_without_the_extension_the_twin_runs_and_says_so_once():
    script = (
        "import sys; sys.modules['dpa.kernels._cpu'] = None\n"
        "import torch\n"
        "from dpa.kernels import BACKENDS, composite_crop, reference\n"
        "a = (torch.rand(1,3,5,5), torch.rand(1,1,5,5), torch.rand(1,4), torch.rand(1,3,9,9),\n"
        "     torch.zeros(1, dtype=torch.int64), torch.rand(1,4), 4)\n"
        "assert torch.equal(composite_crop(*a), reference.composite_crop(*a))\n"
        "a[0].requires_grad_(); composite_crop(*a).sum().backward(); assert a[0].grad.isfinite().all()\n"
        "assert BACKENDS['cpu'] == 'not compiled'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.count("no compiled CPU extension") == 1


def test_importing_the_package_is_light():
    script = "import sys, dpa.kernels; assert dpa.kernels.WHOLE_FRAME; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_function_is_never_shadowed_by_a_module():
    import dpa.kernels
    import dpa.kernels.fused
    import dpa.kernels.operators

    assert all(callable(getattr(dpa.kernels, name)) for name in ("composite_crop", "composite", "crop"))
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = dpa.kernels.nothing_of_this_name
