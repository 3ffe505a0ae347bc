"""Where the copies of a field lie among the features, in both layouts, against matrices built by hand."""

import numpy as np
import pytest
import torch

import intertwine as iw

O, SO3 = iw.Octahedral(), iw.SO(3)
FACES, SIGN = O.quotient(iw.Cyclic(4), axis="z").as_field(), O.irrep("A2").as_field()
SUMS = {
    "both layouts": 2 * O.regular() + O.irreps("3xT1 + 2xE", layout="ir_mul") + O.irreps("A2 + 2xT2"),
    "permutations, copies innermost": iw.Representation(
        O,
        (
            iw.Segment(3, O.quotient(iw.Cyclic(4), axis="z").as_field(), "ir_mul"),
            iw.Segment(2, O.irrep("A2").as_field()),
        ),
    ),
    "infinite": SO3.irreps("2x1 + 3x0 + 2x2", layout="ir_mul"),
}


def by_hand(rep, g):
    """``rho(g)`` as Kronecker products: 1 (x) F in layout mul_ir, F (x) 1 in ir_mul."""
    blocks = []
    for segment in rep.segments:
        image, one = segment.field.matrices(g.numpy()[None])[0], np.eye(segment.mul)
        blocks.append(np.kron(one, image) if segment.layout == "mul_ir" else np.kron(image, one))
    return torch.block_diag(*(torch.from_numpy(block) for block in blocks))


@pytest.mark.parametrize("rep", SUMS.values(), ids=SUMS)
def test_matrices_fields_and_tensor_products_keep_the_layout(rep):
    for g in rep.group.sample(3, generator=torch.Generator().manual_seed(0)):
        expected = by_hand(rep, g)
        torch.testing.assert_close(rep.matrix(g), expected, atol=1e-12, rtol=0)
        whole = iw.Representation.of(rep.as_field())
        torch.testing.assert_close(whole.matrix(g), expected, atol=1e-12, rtol=0)
        torch.testing.assert_close(rep.tensor(rep).matrix(g), torch.kron(expected, expected), atol=1e-12, rtol=0)
        x = torch.arange(2.0 * rep.dim, dtype=torch.float64).reshape(2, rep.dim)
        torch.testing.assert_close(rep.act(g, x), x @ expected.T, atol=1e-10, rtol=0)
        torch.testing.assert_close(rep.join(rep.split(x)), x, atol=0, rtol=0)


def test_permutations_of_a_sum_are_those_of_its_matrix():
    rep = SUMS["permutations, copies innermost"]
    images, signs = rep.generator_permutations()
    for g, image, sign in zip(rep.group.generators, images, signs, strict=True):
        matrix = np.zeros((rep.dim, rep.dim))
        matrix[image, np.arange(rep.dim)] = sign
        assert np.array_equal(matrix, rep.matrix(g).numpy())
    assert SUMS["both layouts"].generator_permutations() is None


def test_split_and_positions_agree():
    for rep in SUMS.values():
        x = torch.arange(float(rep.dim))
        for part, where in zip(rep.split(x), rep.positions, strict=True):
            assert part.tolist() == where.tolist()
