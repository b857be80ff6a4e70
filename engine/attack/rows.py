"""Tables of tensors with one row a sample: what lets samples enter and leave a batch on their own."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Base of frozen dataclasses whose fields are tensors, or Rows, that share their first dimension."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: Tensor) -> Self:
        """The rows named by an int64 index or a bool mask [n], in that order, as a copy."""
        taken = {}
        for field in fields(self):
            value = getattr(self, field.name)
            taken[field.name] = value.take(rows) if isinstance(value, Rows) else value[rows]
        return replace(self, **taken)

    def head(self, count: int) -> Self:
        """The first rows."""
        return self.take(torch.arange(count, device=self.device))

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        value = getattr(self, fields(self)[0].name)
        device: torch.device = value.device
        return device

    def to(self, device: torch.device | str) -> Self:
        """The same rows on a device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """All rows of all parts, in order. There must be at least one part."""
        joined = {}
        for field in fields(cls):
            values = [getattr(part, field.name) for part in parts]
            first = values[0]
            joined[field.name] = type(first).cat(values) if isinstance(first, Rows) else torch.cat(values)
        return cls(**joined)
