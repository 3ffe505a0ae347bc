"""The convention of coordinates on grids, spelled out pixel by pixel."""

import itertools

import numpy as np
import pytest
import torch

from intertwine.representations.pixels import on_axes, pixel_offsets, pixel_positions, to_axes, to_space


@pytest.mark.parametrize("sides", [(5,), (4, 3), (2, 3, 4)])
def test_positions_pixel_by_pixel(sides):
    points = []
    for index in itertools.product(*(range(side) for side in sides)):
        about = [i - (side - 1) / 2 for i, side in zip(index, sides, strict=True)]
        last, *others = about[::-1]
        points.append([last, *(sign * offset for sign, offset in zip((-1, 1), others, strict=False))])
    assert np.array_equal(pixel_positions(sides), points)
    assert np.array_equal(to_axes(2 * pixel_positions(sides)), pixel_offsets(sides))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_matrix_moves_points_and_their_offsets_alike(dim):
    rng = np.random.default_rng(0)
    matrices, vectors = rng.standard_normal((4, dim, dim)), rng.standard_normal((7, dim))
    for matrix, turned in zip(matrices, on_axes(matrices), strict=True):
        assert np.allclose(to_axes(to_space(vectors) @ matrix.T), vectors @ turned.T, atol=1e-14)


def test_quarter_turns_and_flips_are_those_of_torch():
    image = torch.arange(9.0).reshape(3, 3)
    turn, mirror = np.array([[0, -1], [1, 0]]), np.array([[-1, 0], [0, 1]])
    for matrix, moved in ((turn, torch.rot90(image, 1, (-2, -1))), (mirror, torch.flip(image, (-1,)))):
        targets = (pixel_offsets((3, 3)) @ on_axes(matrix).T + 2) // 2
        out = torch.empty(3, 3)
        out[targets[:, 0], targets[:, 1]] = image.flatten()
        assert torch.equal(out, moved)
