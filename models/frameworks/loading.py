"""From `my_package.my_module:load`, or the file of a compiled program, to a network."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.foreign import ForeignNetwork
from dpa.models.frameworks.program import SUFFIXES, is_program, open_program, wrap_program


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
