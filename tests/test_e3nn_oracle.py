"""P against e3nn for real: o3.Linear, the equivariant linear layer that everyone uses, and its Wigner matrices."""

import pytest
import torch

import intertwine as iw

o3 = pytest.importorskip("e3nn.o3")

PAIRS = [
    ("8x0e + 4x1o", "8x0e + 4x1o"),
    ("5x0e + 3x1o + 2x2e", "2x2e + 4x0e + 3x1o"),
    ("0e + 1o + 0e + 1o", "1o + 0e + 1o"),
    ("3x0e + 2x0o + 1x1e + 4x1o", "2x0o + 3x1e + 1x1o + 2x0e"),
    ("2x3o + 1x4e + 3x2o", "3x4e + 2x3o + 1x1e"),
    ("7x1o", "0e + 2x1o + 3x2e"),
    ("2x5e + 1x6o", "1x6o + 3x5e"),
]


@pytest.fixture(autouse=True)
def _float64():
    """e3nn builds its layers and Wigner matrices in torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def random_linear(text_in, text_out, seed):
    """o3.Linear with weights from a generator of its own."""
    layer = o3.Linear(text_in, text_out)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
    return layer


def dense_weight(layer):
    """The matrix (out, in) that the layer multiplies by: its images of the unit vectors, as columns."""
    with torch.no_grad():
        return layer(torch.eye(layer.irreps_in.dim)).T.contiguous()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("text_in", "text_out"), PAIRS)
def test_e3nn_linear_is_a_fixed_point(text_in, text_out, seed):
    layer = random_linear(text_in, text_out, seed)
    W = dense_weight(layer)
    P = iw.projector(layer.irreps_in, layer.irreps_out)
    torch.testing.assert_close(P.project(W), W, rtol=0, atol=1e-12)
    assert P.relative_residual(W) < 1e-12
    assert W.norm() > 0.1


@pytest.mark.parametrize(("text_in", "text_out"), PAIRS)
def test_rank_is_e3nns_number_of_weights(text_in, text_out):
    assert iw.projector(o3.Irreps(text_in), o3.Irreps(text_out)).rank == o3.Linear(text_in, text_out).weight_numel


@pytest.mark.parametrize(("text_in", "text_out"), PAIRS)
def test_every_projected_weight_is_an_e3nn_linear(text_in, text_out):
    # P of dense weights and o3.Linear's weights span the same space: project, then solve for e3nn's parameters.
    layer = o3.Linear(text_in, text_out)
    columns = []
    for i in range(layer.weight_numel):
        with torch.no_grad():
            layer.weight.copy_(torch.eye(layer.weight_numel)[i])
        columns.append(dense_weight(layer).flatten())
    span = torch.stack(columns, dim=1)
    W = torch.randn(layer.irreps_out.dim, layer.irreps_in.dim, generator=torch.Generator().manual_seed(5))
    projected = iw.projector(o3.Irreps(text_in), o3.Irreps(text_out)).project(W).flatten()
    solved = torch.linalg.lstsq(span, projected[:, None]).solution
    torch.testing.assert_close((span @ solved)[:, 0], projected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("text_in", "text_out"), PAIRS)
def test_projected_weights_commute_with_e3nns_matrices(text_in, text_out, seed):
    irreps_in, irreps_out = o3.Irreps(text_in), o3.Irreps(text_out)
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(irreps_out.dim, irreps_in.dim, generator=generator)
    projected = iw.projector(irreps_in, irreps_out).project(W)
    for g in iw.O(3).sample(3, generator=generator):
        before, after = irreps_in.D_from_matrix(g), irreps_out.D_from_matrix(g)
        torch.testing.assert_close(after @ projected, projected @ before, rtol=0, atol=1e-10)
    g = iw.O(3).sample(1, generator=generator)[0]
    unprojected = irreps_out.D_from_matrix(g) @ W - W @ irreps_in.D_from_matrix(g)
    assert unprojected.norm() > 0.1 * W.norm(), "a dense weight should not commute by itself"


def test_biases_are_e3nns_scalars():
    irreps = o3.Irreps("3x0e + 2x0o + 2x1o + 0e")
    layer = o3.Linear(irreps, irreps, biases=True)
    P = iw.projector(irreps)
    assert P.rank == layer.bias_numel == 4
    bias = torch.arange(1.0, irreps.dim + 1)
    torch.testing.assert_close(P.project(bias), torch.tensor([1.0, 2, 3, *[0.0] * 8, 12]))


def test_a_tensor_product_is_a_fixed_tensor():
    # e3nn's full tensor product, dense, is a tensor on three axes; both notations of the irreps are given.
    first, second = o3.Irreps("1o + 2x0e"), o3.Irreps("1o + 2e")
    product = o3.FullTensorProduct(first, second)
    x, y = torch.eye(first.dim), torch.eye(second.dim)
    dense = product(x[:, None].expand(-1, second.dim, -1), y[None].expand(first.dim, -1, -1)).detach()
    P = iw.projector(axes=(first, second, product.irreps_out))
    torch.testing.assert_close(P.project(dense), dense, rtol=0, atol=1e-10)
    assert P.chance > 0.9
    assert dense.norm() > 1
