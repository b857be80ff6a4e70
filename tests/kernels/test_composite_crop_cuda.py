"""The CUDA kernels without a GPU: their source and the Python launch code run on the CPU against the twin,
and NVRTC compiles the source as the package ships it. What a GPU alone can show is not tested here."""

import ctypes
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.kernels import composite_crop, cuda, reference
from dpa.kernels.backends import packaged
from dpa.kernels.inputs import Inputs

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")


class CpuModule:
    """Stands in for a loaded cuda.core.ObjectCode."""

    def __init__(self, library):
        self.library = library

    def get_kernel(self, name):
        return getattr(self.library, f"launch_{name}")


def launch(device, kernel, blocks, threads, arguments):
    """Takes the same scalars that cuda.core would hand to the driver."""
    as_c = {np.uint64: ctypes.c_void_p, np.int32: ctypes.c_int}
    kernel(blocks, threads, *(as_c[type(a)](int(a)) for a in arguments))


def compiled(folder, *options):
    """The CUDA source as a library for the CPU."""
    if COMPILER is None:
        pytest.skip("needs g++ to compile the CUDA source for the CPU")
    library = folder / "composite_crop_simt.so"
    source = packaged("composite_crop.cu").parent
    options = ["-std=c++17", "-O1", "-shared", "-fPIC", f"-I{HERE}", f"-I{source}", *options]
    command = [COMPILER, *options, "-o", str(library), str(HERE / "composite_crop_simt.cpp")]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="session")
def module(tmp_path_factory):
    return CpuModule(compiled(tmp_path_factory.mktemp("simt")))


@pytest.fixture
def kernels(module):
    return cuda.CudaKernels(module, launch)


def run(kernels, given, upstream):
    inputs = Inputs(*given[:6])
    out = torch.full((len(given.rgb), 3, given.size, given.size), 7.0)
    kernels.forward(inputs, out)
    gradients = [torch.full_like(leaf, 7.0) for leaf in given.leaves()]
    kernels.backward(inputs, upstream, gradients)
    return out, gradients


def assert_agrees_with_the_twin(kernels, given):
    torch.manual_seed(1)
    upstream = torch.randn(len(given.rgb), 3, given.size, given.size)
    out, found = run(kernels, given, upstream)
    leaf = given.double().with_gradients()
    exact = reference.composite_crop(*leaf)
    expected = torch.autograd.grad(exact, leaf.leaves(), upstream.double())
    assert (out - exact).abs().max() < 1e-5
    for name, a, b in zip(("rgb", "mask", "box_from", "box_to"), found, expected, strict=True):
        assert (a - b).norm() <= 1e-5 * b.norm(), name


def test_cuda_source_agrees_with_the_twin(kernels, any_case):
    assert_agrees_with_the_twin(kernels, any_case)


def test_a_grid_smaller_than_the_work(kernels, case, monkeypatch):
    monkeypatch.setattr(cuda, "MAX_BLOCKS", 2)
    monkeypatch.setattr(cuda, "THREADS", 32)
    assert_agrees_with_the_twin(kernels, case("odd sizes"))


def test_gradients_that_are_not_wanted_are_not_written(kernels, case):
    given = case("odd sizes")
    upstream = torch.randn(3, 3, given.size, given.size)
    _, every = run(kernels, given, upstream)
    for wanted in range(4):
        some = [torch.empty_like(g) if i == wanted else None for i, g in enumerate(every)]
        kernels.backward(Inputs(*given[:6]), upstream, some)
        assert torch.equal(some[wanted], every[wanted])


def test_a_plate_index_out_of_range_makes_its_sample_nan(kernels, case):
    given = case("odd sizes")
    upstream = torch.randn(3, 3, given.size, given.size)
    out, grads = run(kernels, given, upstream)
    for index in (-1, 2):
        wrong = given.plate_index.clone()
        wrong[1] = index
        found, found_grads = run(kernels, given._replace(plate_index=wrong), upstream)
        for a, b in zip((found, *found_grads), (out, *grads), strict=True):
            assert a[1].isnan().all()
            assert torch.equal(a[[0, 2]], b[[0, 2]])


def test_a_step_of_the_attack_needs_few_double_precision_operations(tmp_path):
    """Many GPUs do one of them in the time of 64 in float. Counted for one sample at the attack's sizes: two
    views, forward, and backward to the colours and to the second view's box."""
    library = compiled(tmp_path, "-include", str(HERE / "counted_double.h"), "-DDPA_DOUBLE=counted::Double")
    library.double_operations.restype = ctypes.c_longlong
    kernels = cuda.CudaKernels(CpuModule(library), launch)
    torch.manual_seed(0)
    for frame, crop, views in ((160, 64, (80, 64)), (1000, 128, (128, 128))):
        before = library.double_operations()
        for size, box in zip(views, ([1.0, 1.0, 0.0, 0.0], [0.36, 0.63, 0.11, -0.09]), strict=True):
            inputs = Inputs(
                torch.rand(1, 3, crop, crop),
                torch.rand(1, 1, crop, crop),
                torch.tensor([[0.35, 0.65, 0.1, -0.1]]),
                torch.rand(1, 3, frame, frame),
                torch.zeros(1, dtype=torch.int64),
                torch.tensor([box]),
            )
            out = torch.empty(1, 3, size, size)
            kernels.forward(inputs, out)
            kernels.backward(inputs, torch.rand_like(out), [torch.empty_like(inputs.rgb), None, None, None])
        kernels.backward(inputs, torch.rand_like(out), [None, None, None, torch.empty(1, 4)])
        assert 0 < library.double_operations() - before < 50_000, frame


@pytest.fixture
def a_gpu(monkeypatch):
    """Nothing loads kernels on it; what was tried, in order."""
    tried = []

    def refuse(name):
        def way(device):
            tried.append(name)
            raise OSError("no driver")

        return way

    monkeypatch.setattr(cuda, "WAYS", {name: refuse(name) for name in cuda.WAYS})
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    return tried


def test_the_image_is_tried_before_the_source_and_each_once(a_gpu, caplog):
    device = torch.device("cuda", 7)
    assert cuda.load(device) is None
    assert cuda.load(device) is None
    assert a_gpu == ["packaged image", "compiled at run time"]
    assert caplog.text.count("no CUDA kernel loads") == 1
    assert "packaged image: OSError: no driver" in caplog.text


def test_without_kernels_the_twin_is_taken_where_autograd_sees_it(stand_in, case, monkeypatch):
    given = case("odd sizes")
    there = [tensor.to(stand_in) for tensor in given[:6]]
    there[0].requires_grad_()
    out = composite_crop(*there, given.size)
    (found,) = torch.autograd.grad(out.square().sum(), there[0])
    leaf = given.with_gradients()
    expected = torch.autograd.grad(reference.composite_crop(*leaf).square().sum(), leaf.rgb)[0]
    torch.testing.assert_close(found.cpu(), expected)


def test_the_operator_itself_has_no_twin_below_it(case):
    script = (
        "import sys; sys.modules['dpa.kernels._cpu'] = None\n"
        "import torch, dpa.kernels.fused\n"
        "a = (torch.rand(1,3,5,5), torch.rand(1,1,5,5), torch.rand(1,4), torch.rand(1,3,9,9),\n"
        "     torch.zeros(1, dtype=torch.int64), torch.rand(1,4), 4)\n"
        "try: torch.ops.dpa.composite_crop(*a)\n"
        "except dpa.kernels.errors.DeviceMismatch as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "no kernel on cpu" in done.stdout


def nvrtc():
    """NVIDIA's run-time compiler, from its wheel or the system."""
    spec = find_spec("nvidia")
    folders = [Path(p) for p in spec.submodule_search_locations] if spec else []
    found = [
        *(path for f in folders for path in f.glob("*/lib/libnvrtc.so.*")),
        "libnvrtc.so",
        "libnvrtc.so.13",
    ]
    for name in found:
        try:
            return ctypes.CDLL(str(name))
        except OSError:
            continue
    return None


@pytest.mark.parametrize("architecture", ["compute_75", "sm_90"])
def test_nvrtc_compiles_the_packaged_source(architecture):
    if (library := nvrtc()) is None:
        pytest.skip("needs NVRTC (extra 'test' on Linux, or 'gpu')")
    source = packaged("composite_crop.cu")
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(
        ctypes.byref(program), source.read_bytes(), b"composite_crop.cu", 0, None, None
    )
    options = [b"-std=c++17", f"-I{source.parent}".encode(), f"-arch={architecture}".encode()]
    code = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    length = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(length))
    log = ctypes.create_string_buffer(length.value)
    library.nvrtcGetProgramLog(program, log)
    assert code == 0, log.value.decode()


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvcc_compiles_without_a_warning_and_spills_no_register(tmp_path, architecture):
    """A block of 256 threads, of which a multiprocessor with 65,536 registers should hold two."""
    if (nvcc := shutil.which("nvcc")) is None:
        pytest.skip("needs nvcc")
    image = tmp_path / "composite_crop.fatbin"
    command = [nvcc, "-fatbin", "-std=c++17", "-O3", "-Werror=all-warnings", f"-arch={architecture}"]
    command += ["-Xptxas", "-v", "-o", str(image), str(packaged("composite_crop.cu"))]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert image.read_bytes()[:4] == bytes.fromhex("50ed55ba")  # NVIDIA's mark of a fat binary
    registers = [int(count) for count in re.findall(r"Used (\d+) registers", said)]
    assert len(registers) == 3
    assert max(registers) <= 128
    assert re.findall(r"(\d+) bytes spill stores", said) == ["0", "0", "0"]
