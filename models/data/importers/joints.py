"""From each data set's joints to the contract's 17, in its order (`contract.JOINT_NAMES`)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FROM_H36M_32: Final = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Human3.6M's 32 joints (FACTS, Human3.6M)."""

FROM_MPI_17: Final = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
"""MPI-INF-3DHP's relevant 17: head top, neck, arms, legs (right first), pelvis, spine, head."""

_MPI_17_OF_28: Final = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)

FROM_MPI_28: Final = tuple(_MPI_17_OF_28[i] for i in FROM_MPI_17)
"""MPI-INF-3DHP's 28 joints (FACTS, MPI-INF-3DHP)."""


def seventeen(joints: NDArray[np.floating], order: tuple[int, ...]) -> NDArray[np.float32]:
    """Joints [n, j, d] in another order → float32 [n, 17, d]; 17 given as such by Human3.6M stay."""
    if joints.shape[1] == 17 and order is FROM_H36M_32:
        return joints.astype(np.float32)
    return joints[:, order].astype(np.float32)


def in_millimetres(poses: NDArray[np.floating]) -> NDArray[np.float32]:
    """Poses [n, 17, 3] in metres or mm → mm. Nobody's joints lie 10 m, or under 10 mm, from the hip."""
    spread = np.median(np.linalg.norm(poses[:, 1:] - poses[:, :1], axis=-1)) if len(poses) else 1000.0
    return (poses * (1000.0 if spread < 10 else 1.0)).astype(np.float32)
