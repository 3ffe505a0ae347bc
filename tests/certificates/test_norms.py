"""Bounds of norms are never below the norm, and not far above."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from intertwine.certificates import norms
from intertwine.certificates.pointwise_rules import AT_ZERO, LARGEST, SLOPES


def test_matrices_by_singular_values_and_by_powers(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    for shape, scale in itertools.product([(30, 30), (7, 60), (60, 7), (3, 20, 30)], [1e-30, 1.0, 1e30]):
        matrix = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        true = float(torch.linalg.matrix_norm(matrix, ord=2).max())
        assert true <= norms.matrix_norm(matrix) <= true * (1 + 1e-9)
        with monkeypatch.context() as patch:
            patch.setattr(norms, "DENSE", 0)
            assert true <= norms.matrix_norm(matrix) <= 1.03 * true
    assert norms.matrix_norm(torch.zeros(600, 600)) == 0.0
    assert norms.matrix_norm(torch.zeros(0, 4)) == 0.0


@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize(
    ("shape", "stride"), [((3, 2, 3, 3), 1), ((3, 2, 2, 4), 1), ((2, 3, 3, 3), 2), ((2, 2, 1, 1), 1)]
)
def test_kernels_are_bounded_at_every_frequency(shape, stride, padding):
    generator = torch.Generator().manual_seed(1)
    side = 8
    for _ in range(5):
        kernel = torch.randn(shape, generator=generator, dtype=torch.float64)
        inputs = torch.eye(shape[1] * side * side, dtype=torch.float64).view(-1, shape[1], side, side)
        pad = [n // 2 for n in (shape[3], shape[3], shape[2], shape[2])]
        if padding == "circular":
            pad = [(shape[3] - 1) // 2, shape[3] // 2, (shape[2] - 1) // 2, shape[2] // 2]
        padded = F.pad(inputs, pad, mode="constant" if padding == "zeros" else "circular")
        operator = F.conv2d(padded, kernel, stride=stride).flatten(1)
        true = float(torch.linalg.matrix_norm(operator, ord=2))
        bound = norms.kernel_norm(kernel)
        assert true <= bound * (1 + 1e-12)
        if padding == "circular" and stride == 1:
            assert bound <= 1.35 * true  # between the frequencies that 8 pixels have there are larger values


def test_kernels_of_many_channels_on_a_coarse_grid_are_bounded_too(monkeypatch):
    kernel = torch.randn(4, 4, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    fine = norms.kernel_norm(kernel)
    monkeypatch.setattr(norms, "MANY_CHANNELS", 1)
    assert 0.98 * fine <= norms.kernel_norm(kernel) <= 1.4 * fine


@pytest.mark.parametrize("name", sorted(SLOPES))
def test_slopes_and_values_of_pointwise_functions(name):
    if name == "identity":
        return
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64).requires_grad_()
    function = getattr(F, name, None) or getattr(torch, name)
    y = function(x.clone() if name.endswith("_") else x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert float(slope.abs().max()) <= SLOPES[name]
    assert float(slope.abs().max()) >= 0.97 * SLOPES[name]
    assert abs(float(function(torch.zeros(1, dtype=torch.float64)))) == pytest.approx(AT_ZERO.get(name, 0.0))
    assert float(y.detach().abs().max()) <= LARGEST.get(name, float("inf"))
