"""What is kept is shared: nobody can write to it, and it is bounded."""

import ast
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine._cache import cached
from intertwine.diagnostics import splits
from intertwine.diagnostics.fitting.orbit_types import orbit_types
from intertwine.groups import bases, cyclic, dihedral, matrix_elements, polyhedral
from intertwine.groups.enumeration import multiplication_table
from intertwine.groups.irreps import harmonic_bases, numerical, products, wigner, young
from intertwine.layers.channels.output_fields import copy_index
from intertwine.projectors.kernels import steerable
from intertwine.projectors.methods.average import transversals
from intertwine.projectors.methods.block import fixed_basis
from intertwine.representations import decomposition, image_field, intertwiners, orbits, permutation_field
from intertwine.representations.irrep_field import IrrepField
from intertwine.tracing import acting

C4, SO2, SO3 = iw.Cyclic(4), iw.SO(2), iw.SO(3)
A4, ICOSAHEDRAL, LORENTZ = iw.Tetrahedral(), iw.Icosahedral(), iw.MatrixGroup.lorentz()
V = SO3.irrep(1)
IMAGES = C4.representation(torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64))
FINITE = iw.FiniteGroup(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64))


def field(rep: iw.Representation) -> iw.representations.Field:
    return rep.segments[0].field


# A call of every function whose results are kept.
CALLS: dict[str, Callable[[], object]] = {
    "representations.decomposition.field_decomposition": lambda: decomposition.field_decomposition(field(C4.regular())),
    "representations.image_field._table": lambda: image_field._table(field(IMAGES)),
    "representations.permutation_field._element_table": lambda: permutation_field._element_table(field(C4.grid(2, 2))),
    "representations.intertwiners.commutant": lambda: intertwiners.commutant(field(SO2.irrep(1))),
    "representations.orbits.orbit_fields": lambda: orbits.orbit_fields(field(C4.grid(3, 3))),
    "layers.channels.output_fields.copy_index": lambda: copy_index(2 * V),
    "projectors.kernels.steerable.sampled_profiles": lambda: steerable.sampled_profiles(
        SO2.standard(), (3, 3), steerable.default_rings((3, 3))
    ),
    "projectors.kernels.steerable.steerable_basis": lambda: steerable.steerable_basis(
        field(SO2.irrep(1)), field(SO2.irrep(1)), SO2.standard(), (3, 3), steerable.default_rings((3, 3))
    ),
    "projectors.methods.average.transversals": lambda: transversals(A4),
    "projectors.methods.block.fixed_basis": lambda: fixed_basis((field(V),) * 3),
    "diagnostics.splits._cut_by_fields": lambda: splits._cut_by_fields(2 * V),
    "diagnostics.splits._cut_by_irreps": lambda: splits._cut_by_irreps(C4.regular()),
    "groups.cyclic._listed": lambda: cyclic._listed(C4),
    "groups.dihedral._listed": lambda: dihedral._listed(iw.Dihedral(3)),
    "groups.bases._listed": lambda: bases._listed(A4),
    "groups.enumeration.multiplication_table": lambda: multiplication_table(A4),
    "groups.polyhedral._degree_three": polyhedral._degree_three,
    "groups.matrix_elements._fixed_tensors": lambda: matrix_elements._fixed_tensors(LORENTZ),
    "groups.matrix_elements._words": lambda: matrix_elements._words(LORENTZ),
    "groups.irreps.products.part_bases": lambda: products.part_bases(IrrepField(C4, "1"), IrrepField(C4, "1")),
    "groups.irreps.harmonic_bases.harmonic_basis": lambda: harmonic_bases.harmonic_basis("z-axis", 2),
    "groups.irreps.wigner._chains": lambda: wigner._chains(3),
    "groups.irreps.young.transposition_images": lambda: young.transposition_images((2, 1)),
    "tracing.acting._sources": lambda: acting._sources(C4.regular(), C4.generators[0].numpy().tobytes()),
    "diagnostics.fitting.orbit_types.orbit_types": lambda: orbit_types(C4),
    "groups.irreps.numerical.numerical_irreps": lambda: numerical.numerical_irreps(FINITE),
}
# Kept by functools alone: no arrays of their own.
PLAIN = {
    "groups.enumeration._index",  # a search tree over elements that are kept, and frozen, by their group
    "groups.irreps.products.find_pair",
    "projectors.methods.schur.schur_projector",
    "decay.averages._is_iterate",
    "tracing.policy.quotient_fields",
    "tracing.policy.subgroup_classes",
    "training.lightning_callback._callback_class",  # a class of a package that is imported when it is asked for
}


def arrays(value: object) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        yield from arrays(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from arrays(item)
    elif dataclasses.is_dataclass(value):
        yield from (item for item in vars(value).values() if isinstance(item, np.ndarray))


def decorated(*names: str) -> set[str]:
    """The functions of the library with such a decorator."""
    root, found = Path(iw.__file__).parent, set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                called = mark.func if isinstance(mark, ast.Call) else mark
                if isinstance(called, ast.Name) and called.id in names:
                    found.add(".".join((*path.relative_to(root).with_suffix("").parts, node.name)))
    return found


@pytest.mark.parametrize("name", CALLS)
def test_results_are_shared_and_read_only(name: str) -> None:
    first, again = CALLS[name](), CALLS[name]()
    assert first is again
    for array in arrays(first):
        assert not array.flags.writeable
    if "splits" not in name and "transversals" not in name:  # tensors, and tuples of numbers
        assert list(arrays(first))


def test_every_cache_is_among_them() -> None:
    assert decorated("cached") == set(CALLS)
    assert decorated("lru_cache", "cache") == PLAIN


@pytest.mark.parametrize("group", [C4, iw.Dihedral(3), A4, ICOSAHEDRAL, FINITE], ids=str)
def test_elements_are_read_only(group: iw.Group) -> None:
    assert not group.element_matrices().flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        group.element_matrices()[0] = 0


def test_a_cache_is_bounded_in_number_and_in_bytes() -> None:
    calls = []

    @cached(3, megabytes=1)
    def zeros(n: int) -> tuple[np.ndarray, list[torch.Tensor]]:
        """Half of n bytes in an array, half in a tensor."""
        calls.append(n)
        return np.zeros(n // 2, dtype=np.uint8), [torch.zeros(n // 2, dtype=torch.uint8)]

    assert zeros.__name__ == "zeros"
    for n in (1, 2, 3, 1, 2, 3, 4, 2, 3, 1):
        zeros(n)
    assert calls == [1, 2, 3, 4, 1]  # the least recently used went
    calls.clear()
    half = 2**19
    for n in (half, half - 100, half, half + 2, half):
        zeros(n)
    assert calls == [half, half - 100, half + 2, half]  # the third would be above a megabyte: all were forgotten
    zeros(2**21)
    assert zeros.cache_info().currsize == 1


def test_what_is_raised_is_not_kept() -> None:
    @cached(3)
    def failing(n: int) -> np.ndarray:
        raise ValueError(n)

    for _ in range(2):
        with pytest.raises(ValueError, match="7"):
            failing(7)
    assert failing.cache_info().currsize == 0
