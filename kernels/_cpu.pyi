from torch import Tensor

openmp: bool

def forward(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    out: Tensor,
    threads: int,
) -> None: ...
def backward(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    grad: Tensor,
    grad_rgb: Tensor | None,
    grad_mask: Tensor | None,
    grad_from: Tensor | None,
    grad_to: Tensor | None,
    threads: int,
) -> None: ...
