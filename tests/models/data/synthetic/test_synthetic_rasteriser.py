"""The rasteriser against a per-pixel float64 oracle, and what it promises about edges and culling."""

import numpy as np
import pytest

from dpa.models.data.synthetic.mesh import Fragments, rasterise

WIDTH, HEIGHT = 13, 11


def triangles(seed: int, count: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Random vertices u, v, depth [V] float32, partly outside the image, and faces [count, 3]."""
    rng = np.random.default_rng(seed)
    u = rng.uniform(-4, WIDTH + 4, 3 * count).astype(np.float32)
    v = rng.uniform(-4, HEIGHT + 4, 3 * count).astype(np.float32)
    depth = rng.uniform(1, 6, 3 * count).astype(np.float32)
    return u, v, depth, rng.permutation(3 * count).reshape(-1, 3).astype(np.int32)


def oracle(
    u: np.ndarray, v: np.ndarray, depth: np.ndarray, faces: np.ndarray, cull: bool
) -> dict[int, tuple[int, float, np.ndarray]]:
    """Per pixel: (face, depth, perspective-correct barycentric) by solving each triangle's 3 x 3 system."""
    seen: dict[int, tuple[int, float, np.ndarray]] = {}
    for f, face in enumerate(faces):
        corners = np.stack([u[face], v[face], np.ones(3)]).astype(np.float64)
        area = np.linalg.det(corners)
        if abs(area) < 1e-9 or (cull and area > 0):
            continue
        for y in range(HEIGHT):
            for x in range(WIDTH):
                screen = np.linalg.solve(corners, [x + 0.5, y + 0.5, 1.0])
                if screen.min() < 0:
                    continue
                weight = screen / depth[face]
                z = 1 / weight.sum()
                if y * WIDTH + x not in seen or z < seen[y * WIDTH + x][1]:
                    seen[y * WIDTH + x] = (f, z, weight * z)
    return seen


def by_pixel(found: Fragments) -> dict[int, int]:
    return {int(p): k for k, p in enumerate(found.pixel)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cull", [True, False])
def test_agrees_with_the_oracle(seed: int, cull: bool) -> None:
    u, v, depth, faces = triangles(seed)
    found = rasterise(u, v, depth, faces, WIDTH, HEIGHT, cull=cull)
    expected = oracle(u, v, depth, faces, cull)
    at = by_pixel(found)
    assert set(at) == set(expected)
    for pixel, (face, z, barycentric) in expected.items():
        k = at[pixel]
        assert found.face[k] == face
        assert 1 / found.inverse_depth[k] == pytest.approx(z, rel=1e-4)
        np.testing.assert_allclose(found.barycentric[k], barycentric, atol=2e-3)


def test_interpolates_in_perspective() -> None:
    u, v, depth, faces = triangles(3)
    found = rasterise(u, v, depth, faces, WIDTH, HEIGHT, cull=False)
    values = np.stack([depth, 2 * depth + 1], axis=1)
    z = found.interpolate(values, faces)
    np.testing.assert_allclose(z[:, 0], 1 / found.inverse_depth, rtol=1e-3)
    np.testing.assert_allclose(z[:, 1], 2 / found.inverse_depth + 1, rtol=1e-3)


def test_shared_edges_leave_no_gap() -> None:
    """A fan around a pixel centre covers its square without holes."""
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    u = np.r_[6.5, 6.5 + 20 * np.cos(angle)].astype(np.float32)
    v = np.r_[5.5, 5.5 + 20 * np.sin(angle)].astype(np.float32)
    faces = np.array([[0, 1 + (k + 1) % 8, 1 + k] for k in range(8)], np.int32)
    found = rasterise(u, v, np.ones(9, np.float32), faces, WIDTH, HEIGHT)
    np.testing.assert_array_equal(found.pixel, np.arange(WIDTH * HEIGHT))


def test_nothing_in_view() -> None:
    far = np.full(3, -50, np.float32)
    found = rasterise(far, far, np.ones(3, np.float32), np.array([[0, 1, 2]]), WIDTH, HEIGHT)
    assert len(found.pixel) == 0
