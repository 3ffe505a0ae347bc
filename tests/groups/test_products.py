"""Direct products: pairs, lifted and outer representations."""

import pytest
import torch

import intertwine as iw
from tests.groups.registry import QUATERNION


def blocks(group, g):
    d = group.first.matrix_dim
    return g[:, :d, :d], g[:, d:, d:]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (iw.Cyclic(4).regular() + iw.Cyclic(4).standard(), iw.Symmetric(3).defining()),
        (iw.SO(3).irreps("2x1 + 0"), iw.Symmetric(4).standard()),
        (iw.SO(2).irrep(1), iw.SO(2).irrep(2)),
        (iw.Cyclic(3).irrep(1), QUATERNION.irrep(4)),
        (iw.O(3).irreps("1o + 2e"), iw.Cyclic(4).grid(3, 3)),
    ],
    ids=str,
)
def test_lift_and_outer_act_by_factors(first, second):
    group = first.group * second.group
    g = group.sample(6, generator=torch.Generator().manual_seed(0))
    left, right = blocks(group, g)
    torch.testing.assert_close(group.lift(first, which=0).matrix(g), first.matrix(left))
    torch.testing.assert_close(group.lift(second, which=1).matrix(g), second.matrix(right))
    expected = torch.stack([torch.kron(a, b) for a, b in zip(first.matrix(left), second.matrix(right), strict=True)])
    torch.testing.assert_close(group.outer(first, second).matrix(g), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(
        group.standard().matrix(g).diagonal(dim1=1, dim2=2).sum(-1),
        first.group.standard().character(left) + second.group.standard().character(right),
    )


def test_lifts_keep_permutations_and_names():
    group = iw.Cyclic(4) * iw.Symmetric(3)
    assert group.lift(iw.Cyclic(4).grid(3, 3)).is_permutation
    assert str(group.lift(iw.Cyclic(4).irrep(1))) == "1*[3]"
    assert group.outer(iw.Cyclic(4).regular(), iw.Symmetric(3).defining()).is_permutation
    assert str(group.outer(iw.Cyclic(4).irreps("2x1"), iw.Symmetric(3).standard())) == "2x1*[2,1]"


def test_equal_factors_need_which():
    group = iw.Cyclic(3) * iw.Cyclic(3)
    with pytest.raises(iw.errors.ArgumentError, match="which: expected 0 or 1, as both factors are C3"):
        group.lift(iw.Cyclic(3).regular())
    g = group.sample(5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        group.lift(iw.Cyclic(3).regular(), which=1).matrix(g), iw.Cyclic(3).regular().matrix(blocks(group, g)[1])
    )


def test_reducible_pairs_are_named_by_their_parts():
    group = iw.Cyclic(3) * iw.Cyclic(5)
    assert group.irrep_labels(4) == ("0*0", "0*1", "0*2", "1*0", "1*1:0", "1*1:1", "1*2:0", "1*2:1")
    with pytest.raises(iw.errors.UnknownNameError, match=r"such as '1\*1:0'; got '1\*1'. The product of two irreps"):
        group.irrep("1*1")
    nested = group * iw.Cyclic(7)
    assert str(nested.irreps("2x(1*1:0)*1:1 + (0*1)*0")) == "2x(1*1:0)*1:1 + (0*1)*0"
    assert str(nested) == "(C3 * C5) * C7"


def test_mixed_products():
    group = iw.SO(3) * iw.Cyclic(4)
    assert not group.is_finite
    assert group.is_compact
    with pytest.raises(iw.errors.SizeLimitError, match="a finite group"):
        group.elements()
    given = group.representation(group.standard().matrix(group.generators), group.standard().as_field().algebra())
    g = group.sample(4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(given.matrix(g), group.standard().matrix(g), atol=1e-10, rtol=0)
