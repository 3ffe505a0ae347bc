"""Embeddings, positional tables, patch embeddings, and the door for everything else: a Projector by name."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.acting import ATOL, acted, image_error, projected, randn
from tests.binding.cases import fill, seeded

D4, C4 = iw.Dihedral(4), iw.Cyclic(4)
R8 = D4.regular()


class Patches(nn.Module):
    """The front of a vision transformer: patches, and a table added to them."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.position = nn.Parameter(torch.zeros(*shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.patches(x)
        return y + self.position.reshape(*y.shape[2:], -1).permute(2, 0, 1)


@pytest.mark.parametrize("shape", [(1, 9, 8), (9, 8), (3, 3, 8), (1, 3, 3, 8)])
@pytest.mark.parametrize("features", [R8, D4.irreps("2x0+ + 0- + 1 + 1 + 0+")])
def test_patches_and_positions(shape: tuple[int, ...], features: iw.Representation) -> None:
    model, pixels = Patches(*shape), D4.irreps("3x0+")
    types = {"patches": (pixels, features), "position": (D4.grid(3, 3), features)}
    fill(model.double())
    assert image_error(model, pixels, features, (12, 12)) > 1e-2
    binding = projected(model, types)
    assert image_error(model, pixels, features, (12, 12)) < ATOL
    assert binding["position"].projector.shape == shape
    fill(model)
    binding.project_(preserve_norm=True)
    assert image_error(model, pixels, features, (12, 12)) < ATOL
    torch.testing.assert_close(model.position.norm(), fill(Patches(*shape).double()).position.norm())


def test_the_table_projector_by_hand() -> None:
    P = iw.projector(axes=(D4.grid(3, 3), None, R8), shape=(3, 3, None, 8))
    W = randn(3, 3, 2, 8)
    mean = sum(
        acted(R8.act(g, W).permute(2, 3, 0, 1), 8 * D4.trivial(), g, D4.standard()).permute(2, 3, 0, 1)
        for g in D4.elements()
    )
    torch.testing.assert_close(P.project(W), mean / 8)


@pytest.mark.parametrize(
    ("axes", "shape", "error", "match"),
    [
        ((D4.grid(3, 3), R8), (3, 4, 8), iw.errors.ShapeError, r"to the dimensions \(9, 8\), .* got shape \(3, 4, 8\)"),
        ((D4.grid(3, 3), R8), (9,), iw.errors.ShapeError, "multiply, in order"),
        ((D4.grid(3, 3), R8), (9, 8, 2), iw.errors.ShapeError, "multiply, in order"),
        ((R8, None), (8, 3, 1), iw.errors.ShapeError, r"dimensions \(8, any\)"),
        ((R8,), 8, iw.errors.ArgumentError, "shape: expected a tuple with the length of each axis; got 8"),
    ],
)
def test_shapes_that_do_not_fold(axes: tuple, shape: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        iw.projector(axes=axes, shape=shape)


def test_shape_has_no_meaning_beside_a_kernel() -> None:
    with pytest.raises(iw.errors.ArgumentError, match="shape: expected None with kernel"):
        iw.projector(R8, R8, kernel=(3, 3), shape=(8, 8, 3, 3))


def test_embedding_of_permuted_tokens() -> None:
    tokens, features = D4.grid(3, 3), D4.irreps("0+ + 1 + 0-")
    module = nn.Embedding(9, 4)
    binding = projected(module, {"": (tokens, features)})
    index = torch.arange(9)
    for g in D4.elements():
        image = tokens.matrix(g).argmax(0)  # rho(g) e_t = e_image[t]
        moved = features.act(g, module(index))
        torch.testing.assert_close(module(image[index]), moved, rtol=0, atol=ATOL)
    binding.initialize_(generator=seeded(2))
    assert binding.penalty() < 1e-20
    norms = [module.weight.detach()[:, columns].norm() for columns in (slice(0, 1), slice(1, 3))]
    assert min(norms) > 1
    assert not module.weight.detach()[:, 3].any()  # no pixel pattern of 3 x 3 changes sign under mirrors alone


def test_embedding_of_tokens_that_stay() -> None:
    module = nn.Embedding(5, 4, padding_idx=2)
    projected(module, {"": (5 * C4.trivial(), C4.regular())})
    assert float(module.weight.detach().std(1).max()) < ATOL
    with pytest.raises(iw.errors.ArgumentError, match=r"leave the padding token 2 in place, .* got regular \+ 0"):
        iw.bind(module, {"": (C4.regular() + C4.trivial(), C4.regular())})
    with pytest.raises(iw.errors.ArgumentError, match=r"rep_in to permute the tokens, .* got 5x2. Where"):
        iw.bind(module, {"": (C4.irreps("5x2"), C4.regular())})


def test_a_projector_by_name() -> None:
    """nn.Bilinear, which no pair can type, through the general door."""
    G = iw.SO(3)
    module = nn.Bilinear(3, 3, 4)
    one, out = G.irrep(1), G.irreps("0 + 1")
    P = iw.projector(axes=(out, one, one))
    binding = projected(module, {"weight": P, "bias": out})
    assert binding["weight"].projector is P
    x, y = randn(6, 3), randn(6, 3, seed=2)
    for g in G.sample(3, generator=seeded()):
        torch.testing.assert_close(module(one.act(g, x), one.act(g, y)), out.act(g, module(x, y)), rtol=0, atol=ATOL)
    conv = nn.Conv2d(4, 4, 3, bias=False)
    kernel = iw.projector(C4.regular(), C4.regular(), kernel=(3, 3))
    projected(conv, {"weight": kernel})
    assert image_error(conv, C4.regular(), C4.regular(), (5, 5)) < ATOL
    with pytest.raises(iw.errors.ShapeError, match=r"a projector for weight, shape \(4, 4, 5, 5\); got one for shape"):
        iw.bind(nn.Conv2d(4, 4, 5), {"weight": kernel})
    with pytest.raises(iw.errors.ArgumentError, match=r"a pair \(rep_in, rep_out\) for a module; got BlocksProjector"):
        iw.bind(conv, {"": kernel})
