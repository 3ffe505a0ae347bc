"""Layers like Linear that are none: by what they hold and compute. Stand-ins for packages that CI does not install."""

import re

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.acting import elements, feature_error, image_error, projected, randn
from tests.binding.cases import fill

C4, SO3 = iw.Cyclic(4), iw.SO(3)


class GeometricLinear(nn.Module):
    """As ``torch_geometric.nn.Linear`` (dense/linear.py): channels in place of features."""

    def __init__(self, width_in: int, width_out: int, bias: bool = True) -> None:
        super().__init__()
        self.in_channels, self.out_channels = width_in, width_out
        self.weight = nn.Parameter(torch.zeros(width_out, width_in))
        self.bias = nn.Parameter(torch.zeros(width_out)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Conv1D(nn.Module):
    """As ``transformers.pytorch_utils.Conv1D``: stored (in, out)."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight = nn.Parameter(torch.zeros(nx, nf))
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.addmm(self.bias, x.view(-1, self.nx), self.weight).view(*x.shape[:-1], self.nf)


class OldConv1D(Conv1D):
    """An older one, which keeps ``nf`` alone."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__(nf, nx)
        del self.nx

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight + self.bias


class Normalised(GeometricLinear):
    """Holds what a Linear holds, and computes something else."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x / x.norm(dim=-1, keepdim=True), self.weight, self.bias)


@pytest.mark.parametrize(
    "module",
    [
        GeometricLinear(8, 12),
        GeometricLinear(8, 12, bias=False),
        GeometricLinear(12, 12),
        Conv1D(12, 8),
        Conv1D(12, 12),
        OldConv1D(12, 8),
        OldConv1D(12, 12),
        nn.utils.parametrizations.weight_norm(GeometricLinear(8, 12)),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_module_law(module: nn.Module, training: bool) -> None:
    inputs = module.weight.shape[0] if isinstance(module, Conv1D) else module.weight.shape[1]
    rep_in, rep_out = inputs // 4 * C4.regular(), 3 * C4.regular()
    fill(module.double()).train(training)
    assert feature_error(module, rep_in, rep_out, 5) > 1e-3
    binding = iw.bind(module, {"": (rep_in, rep_out)})
    assert module.training is training
    P = binding["weight"].projector
    assert P.rank == iw.projector(rep_in, rep_out).rank
    if not binding["weight"].is_computed(module):
        binding.project_(preserve_norm=True)
        assert feature_error(module, rep_in, rep_out, 5) < 1e-10


def test_what_computes_something_else_is_refused_by_its_full_name() -> None:
    rep = 2 * C4.regular()
    module = nn.Sequential(fill(Normalised(8, 8).double()))
    message = (
        rf"got a {re.escape(Normalised.__module__)}\.Normalised\. Type its parameters by name.*'0.weight', '0.bias'"
    )
    with pytest.raises(iw.errors.ArgumentError, match=message):
        iw.bind(module, {"0": (rep, rep)})


def test_wrong_widths_are_named() -> None:
    with pytest.raises(iw.errors.ShapeError, match="rep_in of dimension 8, as inputs of its weight=8; got dimension 4"):
        iw.bind(fill(GeometricLinear(8, 12)), {"": (C4.regular(), 3 * C4.regular())})


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning", "ignore::DeprecationWarning")
def test_a_quantised_layer_says_what_to_bind() -> None:
    layer = torch.ao.nn.quantized.Linear(8, 8)
    message = (
        r"got a torch\.ao\.nn\.quantized\.modules\.linear\.Linear\. It holds no parameters.*before it is converted"
    )
    with pytest.raises(iw.errors.ArgumentError, match=message):
        iw.bind(layer, {"": (2 * C4.regular(), 2 * C4.regular())})


def test_an_equivariant_layer_of_e3nn_is_left_out() -> None:
    o3 = pytest.importorskip("e3nn.o3")
    layer = o3.Linear("4x0e + 2x1o", "4x0e + 2x1o")
    rep = iw.O(3).irreps("4x0e + 2x1o")
    with pytest.raises(
        iw.errors.ArgumentError, match=r"got an e3nn\.o3\._linear\.Linear\. Its weights are coefficients"
    ):
        iw.bind(layer, {"": (rep, rep)})


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bags(mode: str) -> None:
    tokens, rep = C4.permutation([[1, 2, 3, 0, 4]]), 2 * C4.regular()
    bag = nn.EmbeddingBag(5, 8, mode=mode)
    projected(bag, {"": (tokens, rep)})
    numbers = torch.tensor([[0, 1, 4], [2, 3, 3]])
    for g in elements(C4):
        moved = tokens.matrix(g).argmax(0)[numbers]
        torch.testing.assert_close(bag(moved), rep.act(g, bag(numbers)))
    if mode == "max":
        with pytest.raises(
            iw.errors.ArgumentError,
            match="mode='max' takes the largest of each; got 4x1: the group changes the sign of 1",
        ):
            iw.bind(bag, {"": (tokens, 4 * C4.irrep(1))})
    else:
        assert iw.bind(bag, {"": (tokens, 4 * C4.irrep(1))})["weight"].projector.rank > 0


def test_a_convolution_of_one_pixel_needs_no_space() -> None:
    """A flattened grid, whose points the group permutes; and groups whose space has other dimensions."""
    conv = nn.Conv1d(8, 4, 1)
    projected(conv, {"": (2 * C4.regular(), C4.regular())})
    grid = C4.grid(3, 3)
    x = randn(2, 8, 9)
    for g in elements(C4):
        moved = grid.act(g, (2 * C4.regular()).act(g, x.mT).mT)
        torch.testing.assert_close(conv(moved), grid.act(g, C4.regular().act(g, conv(x).mT).mT))
    vectors = SO3.irreps("2x0 + 2x1")
    pixel = nn.Conv2d(8, 8, 1)
    binding = projected(pixel, {"": (vectors, vectors)})
    assert binding["weight"].projector.exact
    assert image_error(pixel, vectors, vectors, (3, 3), 2 * SO3.trivial()) < 1e-10
    with pytest.raises(iw.errors.ArgumentError, match="space"):
        iw.bind(nn.Conv2d(8, 8, 1), {"": iw.Typed(vectors, vectors, space=SO3.standard())})
