"""One section of `bench gpu`, a process of its own: a fault, a hang or a broken context costs this section.

What it has found is written after every entry, so that a section which is stopped keeps what it had.
"""

import json
import logging
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from dpa.bench.stand_in import NAME, install


class NotTrue(AssertionError):
    """A check that did not hold."""


class NotExecuted(Exception):
    """What an entry needs and does not find here."""


class Entry(dict[str, Any]):
    """Figures by name, under the name of what was looked at."""

    def require(self, holds: bool, words: str) -> None:
        """Raises NotTrue with what should have been so."""
        if not holds:
            raise NotTrue(words)


@dataclass(frozen=True)
class Setting:
    """Where and how large. device: what is examined; rehearsal: tiny sizes, for the stand-in on two cores."""

    device: torch.device
    rehearsal: bool
    folder: Path

    def pick(self, full: Any, tiny: Any) -> Any:
        """A size for a GPU, or for the rehearsal."""
        return tiny if self.rehearsal else full


class Notebook:
    """The entries of a section, kept in a file as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: list[dict[str, Any]] = []
        self._save()

    @contextmanager
    def entry(self, name: str) -> Iterator[Entry]:
        """One thing that is looked at. Its state is "done", "wrong" where a requirement did not hold,
        "crashed" with the traceback, or "not executed"; what was logged as a warning meanwhile is kept."""
        found, heard = Entry(), _Heard()
        logging.getLogger("dpa").addHandler(heard)
        begin = time.perf_counter()
        state: dict[str, Any] = {"state": "done"}
        try:
            yield found
        except NotExecuted as need:
            state = {"state": "not executed", "needs": str(need)}
        except NotTrue as untrue:
            state = {"state": "wrong", "why": str(untrue)}
        except Exception as error:
            state = {"state": "crashed", "why": f"{type(error).__name__}: {error}"[:500]}
            state["traceback"] = traceback.format_exc()[-6000:]
        finally:
            logging.getLogger("dpa").removeHandler(heard)
            said = {"warnings": heard.lines} if heard.lines else {}
            seconds = round(time.perf_counter() - begin, 2)
            self._entries.append({"name": name, **state, "seconds": seconds, **found, **said})
            self._save()

    def _save(self) -> None:
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(_plain(self._entries), default=str))
        os.replace(beside, self._path)


def _plain(value: Any) -> Any:
    """Without NaN and infinity, which JSON has no numbers for."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage()[:500])


Work = Callable[[Notebook, Setting], None]


def main(words: list[str]) -> None:
    """words: module:function, device, "full" or "rehearsal", a folder for data, the file of the entries."""
    where, device, size, folder, out = words
    torch.manual_seed(0)
    place = install() if device == NAME else torch.device(device)
    module, _, function = where.partition(":")
    work: Work = getattr(import_module(module), function)
    notebook = Notebook(Path(out))
    setting = Setting(place, size == "rehearsal", Path(folder))
    try:
        work(notebook, setting)
    except Exception as error:
        with notebook.entry("the rest of the section"):
            raise error
