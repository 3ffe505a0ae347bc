"""The tensors that a Lie group fixes, found within those of weight zero, against the general null space."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

import intertwine as iw
from intertwine._numerics import nullspace
from intertwine.groups.harmonic_field import HarmonicField
from intertwine.projectors.methods.zero_weight import fixed_by_lie_group, zero_weight_tensors
from intertwine.representations import Field
from intertwine.representations.intertwiners import fixed_constraints


def irreps(group: iw.Group, *labels: str) -> list[Field]:
    return [group.irrep(label).as_field() for label in labels]


def vector_of_product() -> list[Field]:
    """SO(3) x C4, where discrete generators act as well."""
    turns = iw.SO(3) * iw.Cyclic(4)
    return [segment.field for segment in turns.standard().tensor(turns.standard()).segments] + [
        segment.field for segment in turns.standard().segments
    ]


FIELDS: dict[str, Callable[[], list[Field]]] = {
    "SO3": lambda: [*irreps(iw.SO(3), "0", "1", "3"), HarmonicField(iw.SO(3).standard(), 2)],
    "O3": lambda: [*irreps(iw.O(3), "0o", "1e", "1o", "2e"), HarmonicField(iw.O(3).standard(), 1)],
    "SO2": lambda: [*irreps(iw.SO(2), "0", "1", "2"), HarmonicField(iw.SO(2).standard(), 2)],
    "O2": lambda: [*irreps(iw.O(2), "0+", "0-", "1", "2"), HarmonicField(iw.O(2).standard(), 1)],
    "SO3 x C4": vector_of_product,
}


@pytest.mark.parametrize("name", FIELDS)
def test_equal_to_the_general_null_space(name: str) -> None:
    for fields in itertools.product(FIELDS[name](), repeat=3):
        if np.prod([field.dim for field in fields]) > 400:
            continue
        basis, general = fixed_by_lie_group(fields), nullspace(fixed_constraints(fields), "representation")
        assert basis.shape == general.shape
        assert not np.iscomplexobj(basis)
        np.testing.assert_allclose(basis @ basis.T, general @ general.T, rtol=0, atol=1e-11)
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), rtol=0, atol=1e-11)


def test_tensors_of_weight_zero_are_few() -> None:
    """Of 7 x 7 x 5 numbers those with m_1 + m_2 + m_3 = 0 remain."""
    three, two = irreps(iw.SO(3), "3", "2")
    expected = sum(a + b + c == 0 for a in range(-3, 4) for b in range(-3, 4) for c in range(-2, 3))
    assert zero_weight_tensors((three, three, two)).shape == (7, 7, 5, expected)


def test_no_fixed_tensor() -> None:
    one, two = irreps(iw.SO(2), "1", "2")
    assert fixed_by_lie_group((one, two)).shape == (4, 0)
