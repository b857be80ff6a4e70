"""A framework that the user brings (`my_package.my_module:load`, or the file of a compiled program), in the
clothes of the project's own networks."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, cast

import torch
from torch import Tensor, nn

from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork, NoRegressor
from dpa.models.frameworks.program import SUFFIXES, is_program, open_program, wrap_program
from dpa.models.frameworks.protocol import Framework
from dpa.models.networks.config import NetworkSizes

METHODS = ("localise", "encode", "decode", "regress")


class NotAFramework(InputError):
    """What a specification returned does not follow `dpa.models.frameworks.protocol.Framework`."""

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(
            f"{name}: {found}",
            expected,
            f"see dpa.models.frameworks.protocol.Framework, and try `dpa-engine check-framework {name}`",
        )


class NoSuchPart(InputError):
    """What knows this project's networks from the inside was asked to work on another."""

    def __init__(self, name: str, part: str) -> None:
        super().__init__(
            f"{name} has no {part} that could be taken out and changed",
            "one of this project's own networks, for reduced precision and the fast steps",
            "use --precision fp32 and --backend eager",
        )


class ForeignSizes(NetworkSizes):
    """Sizes found by trying the framework out. code: SHA-256 of its source file, so that what is cached
    for one version of it never serves another."""

    code: str


class ForeignNetwork(DisentangledNetwork):
    """Gives the framework what it wants (normalised images, codes in its own shape) and hands out what the
    rest of the house expects: colours in [0, 1], a mask, codes as [B, A] and [B, P]."""

    mean: Tensor
    std: Tensor

    def __init__(self, inner: nn.Module, name: str) -> None:
        """inner: follows Framework; name: how the user named it. Raises NotAFramework."""
        nn.Module.__init__(self)  # none of the project's own parts is built
        crop_size = _crop_size(inner, name)
        self.framework = str(getattr(inner, "framework", name))
        self.source: Path | None = None
        self.regressor = None
        self.inner = inner.eval().requires_grad_(False)
        # frameworks without parameters exist; this one tells where the network is
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)
        for key, otherwise in (("mean", 0.0), ("std", 1.0)):
            values = torch.as_tensor(getattr(inner, f"image_{key}", [otherwise] * 3), dtype=torch.float32)
            self.register_buffer(key, values.reshape(1, 3, 1, 1))
        try:
            with torch.no_grad():
                h_a, h_p = self.own.encode(self.normalised(torch.full((2, 3, crop_size, crop_size), 0.5)))
                self.code_shapes = (h_a.shape[1:], h_p.shape[1:])
        except Exception as error:
            raise NotAFramework(
                name,
                f"encode of crops [2, 3, {crop_size}, {crop_size}] raised {type(error).__name__}: {error}",
                "an appearance code and a pose code",
            ) from error
        self.config = ForeignSizes(  # type: ignore[assignment]  # nobody asks a foreign network for more
            preset="foreign",
            crop_size=crop_size,
            localiser_size=int(getattr(inner, "localiser_size", crop_size)),
            appearance_dim=self.code_shapes[0].numel(),
            pose_dim=self.code_shapes[1].numel(),
            code=_source_hash(type(inner)),
        )
        self.eval()

    @property
    def localiser(self) -> NoReturn:  # type: ignore[override]
        """Raises NoSuchPart, as the two others do: a framework's inside is its own."""
        raise NoSuchPart(self.framework, "localiser")

    @property
    def encoder(self) -> NoReturn:  # type: ignore[override]
        """See `localiser`."""
        raise NoSuchPart(self.framework, "encoder")

    @property
    def decoder(self) -> NoReturn:  # type: ignore[override]
        """See `localiser`."""
        raise NoSuchPart(self.framework, "decoder")

    @property
    def own(self) -> Framework:
        """The framework as its protocol has it."""
        return cast(Framework, self.inner)

    @property
    def can_regress(self) -> bool:
        """Whether it offers `regress`."""
        return callable(getattr(self.inner, "regress", None))

    def normalised(self, images: Tensor) -> Tensor:
        """[B, 3, h, w] in [0, 1] → as the framework wants them."""
        return (images - self.mean) / self.std

    def localise_thumbnails(self, thumbnails: Tensor) -> Tensor:
        """See DisentangledNetwork."""
        return self.own.localise(self.normalised(thumbnails))

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, s, s] in [0, 1] → [B, A], [B, P], whatever shape the codes have inside."""
        h_a, h_p = self.own.encode(self.normalised(crops))
        return h_a.flatten(1), h_p.flatten(1)

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        """[B, A], [B, P] → rgb [B, 3, s, s] near [0, 1], mask [B, 1, s, s], 1 where there is none."""
        a_shape, p_shape = self.code_shapes
        made = self.own.decode(h_a.reshape(-1, *a_shape), h_p.reshape(-1, *p_shape))
        rgb, mask = made if isinstance(made, tuple) else (made, torch.ones_like(made[:, :1]))
        return rgb * self.std + self.mean, mask

    def regress(self, h_p: Tensor) -> Tensor:
        """[B, P] → pose [B, 17, 3] mm. Raises NoRegressor."""
        if not self.can_regress:
            raise NoRegressor
        return self.own.regress(h_p.reshape(-1, *self.code_shapes[1]))


def _crop_size(inner: object, name: str) -> int:
    missing = [method for method in METHODS[:3] if not callable(getattr(inner, method, None))]
    if missing:
        raise NotAFramework(
            name, f"{type(inner).__name__} has no method {', '.join(missing)}", ", ".join(METHODS)
        )
    if not isinstance(inner, nn.Module):
        raise NotAFramework(name, f"{type(inner).__name__} is no torch.nn.Module", "an nn.Module")
    size = getattr(inner, "crop_size", None)
    if not isinstance(size, int) or size < 1:
        raise NotAFramework(name, f"crop_size is {size!r}", "the side of a crop in pixels")
    return size


def _source_hash(kind: type) -> str:
    try:
        text = inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


class NoSuchFramework(InputError):
    """A specification that leads nowhere."""

    def __init__(self, spec: str, found: str) -> None:
        super().__init__(
            f"{spec}: {found}",
            "my_package.my_module:load, importable from the current folder or installed",
            "check the spelling, and that `python -c 'import my_package.my_module'` works",
        )


def is_foreign(spec: str) -> bool:
    """Whether a name means a framework of the user's own or a compiled program."""
    module, _, name = spec.partition(":")
    named = module != "zoo" and name.isidentifier() and all(p.isidentifier() for p in module.split("."))
    return not Path(spec).is_dir() and (named or Path(spec).suffix in SUFFIXES)


def runs_code(spec: str) -> bool:
    """Whether loading it runs code that is not this project's: any but a network's weights and ONNX."""
    return is_foreign(spec) and SUFFIXES.get(Path(spec).suffix) != "ONNX"


def load_foreign(spec: str) -> DisentangledNetwork:
    """The network that `is_foreign` found. Raises NoSuchFramework, NotAFramework, NotAPoseProgram,
    UntrustedCode."""
    if Path(spec).suffix in SUFFIXES and ":" not in spec:
        if not Path(spec).is_file():
            raise NoSuchFramework(spec, "no such file")
        return open_program(Path(spec))
    made = call_loader(spec)
    if is_program(made):
        return wrap_program(made, spec)
    return made if isinstance(made, DisentangledNetwork) else ForeignNetwork(made, spec)  # type: ignore[arg-type]


def call_loader(spec: str) -> object:
    """What `module:callable` returns. Raises NoSuchFramework; what the user's own code raises comes through
    with a note that says where it happened."""
    module_name, _, name = spec.partition(":")
    with _current_folder_first():
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and (module_name + ".").startswith(error.name + "."):
                raise NoSuchFramework(spec, f"there is no module {error.name!r}") from error
            raise NoSuchFramework(spec, f"{module_name} imports {error.name!r}, which is absent") from error
        load = getattr(module, name, None)
        if not callable(load):
            raise NoSuchFramework(spec, f"{module_name} has no callable {name!r}")
        try:
            made: object = load()
        except Exception as error:
            error.add_note(f"while loading the framework {spec}")
            raise
    return made


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """A console script does not look into the folder where it was started; `python -m` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
