"""What a check of a framework says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One clause of the contract. name: of the clause, as `decode: shapes`. breach: None where it is kept,
    else what was found. expected: what the clause asks for."""

    name: str
    expected: str
    breach: str | None = None

    @property
    def kept(self) -> bool:
        """Whether the framework keeps the clause."""
        return self.breach is None


class Breach(Exception):
    """Raised inside a check: what was found."""
