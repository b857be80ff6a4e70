"""What composite_crop refuses. These are ValueErrors of their own: kernels is the lowest room of the house
and imports none of the others."""


class KernelError(ValueError):
    """An input that the operation does not take: what was found, what was expected, what to do."""

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(f"{found}\n  expected: {expected}\n  to do:    {remedy}")


class ShapeMismatch(KernelError):
    """A tensor whose shape does not fit the others."""


class DtypeMismatch(KernelError):
    """A dtype that the operation does not compute in, or a mixture of them."""


class DeviceMismatch(KernelError):
    """Tensors on different devices, or a back-end that does not run on their device."""


class PlateIndexError(KernelError):
    """A plate index outside [0, P). On CUDA it makes a NaN sample instead: checking would synchronise."""


class UnsupportedGradient(KernelError):
    """A gradient was asked for that is not computed (background plates)."""
