"""The assertion that a group's own statements fit together."""

import itertools

import numpy as np
import torch

from intertwine._numerics import TOLERANCES, Array, relative_distance
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.representations.irrep_field import IrrepField
from intertwine.testing.measured import DENSE_NUMEL, SAMPLES, check_kind, checked_generator, require
from intertwine.testing.representations import assert_representation

# Finite groups are listed up to this order.
_LISTED = 2000


def assert_group(
    group: Group, *, atol: float = TOLERANCES[torch.float64], generator: torch.Generator | None = None
) -> None:
    """Fails unless the group's own statements fit together.

    Identity, inverses and products of elements belong to it; exponentials and brackets of its Lie algebra do; samples
    belong to it and depend on the generator alone; the elements of a finite group are distinct, closed, as many as
    ``order``, found by ``element_indices`` and along ``word_tree``; its irreps have their dimensions, are
    representations, and those of a small finite group fill the regular one: ``sum of dim^2 / c = order``, c the
    dimension of the commutant.

    Args:
        group: any group.
        atol: absolute tolerance on matrix entries.
        generator: for the samples; a fixed seed if None.

    Raises:
        AssertionError: a law is broken; the message says which.
        ArgumentError: no group.

    Source:
        Own; the completeness of the irreps is Serre 1977, "Linear representations of finite groups", 2.4 and, over
        the reals, 13.2.

    Examples:
        >>> import intertwine as iw
        >>> iw.testing.assert_group(iw.Dihedral(4))
    """
    __tracebackhide__ = True
    check_kind("group", group, "generator_matrices", "group")
    generator = checked_generator(atol, generator)
    eye = np.eye(group.matrix_dim)[None]
    _belongs(group, eye, "the identity")
    _belongs(group, group.generator_matrices(), "a generator")
    state = generator.get_state()
    elements = group.sample_matrices(SAMPLES, generator)
    generator.set_state(state)
    again = group.sample_matrices(SAMPLES, generator)
    require(np.array_equal(elements, again), f"{group}: samples depend on more than the generator")
    _belongs(group, elements, "a sample")
    _belongs(group, np.linalg.inv(elements), "an inverse")
    _belongs(group, (elements[:, None] @ elements[None]).reshape(-1, *eye.shape[1:]), "a product")
    if group.is_compact:
        defect = float(np.abs(np.swapaxes(elements, -1, -2) @ elements - eye).max())
        require(
            defect <= atol, f"{group} is compact, but a sample is off orthogonal by {defect:.1e} (tolerance {atol:g})"
        )
    _assert_algebra(group, atol)
    if group.is_finite and group.order <= _LISTED:
        _assert_elements(group, atol)
    labels = group.irrep_labels(5)
    for label in labels[:8]:
        assert_representation(Representation.of(IrrepField(group, label)), atol=atol, generator=generator)
    if group.is_finite and group.order <= DENSE_NUMEL:
        _assert_irreps_complete(group)


def _assert_algebra(group: Group, atol: float) -> None:
    __tracebackhide__ = True
    from scipy.linalg import expm

    algebra = group.algebra_matrices()
    if not len(algebra):
        return
    _belongs(group, np.stack([expm(0.7 * X) for X in algebra]), "an exponential of the Lie algebra")
    flat = algebra.reshape(len(algebra), -1)
    for i, j in itertools.combinations(range(len(algebra)), 2):
        bracket = (algebra[i] @ algebra[j] - algebra[j] @ algebra[i]).reshape(-1)
        coefficients = np.linalg.lstsq(flat.T, bracket, rcond=None)[0]
        defect = relative_distance(coefficients @ flat, bracket)
        require(
            defect <= atol,
            f"{group}: the bracket of Lie algebra elements {i} and {j} leaves the algebra by {defect:.1e}",
        )


def _assert_elements(group: Group, atol: float) -> None:
    __tracebackhide__ = True
    elements = group.element_matrices()
    count = len(elements)
    require(count == group.order, f"{group}: {count} elements, but order {group.order}")
    require(
        float(np.abs(elements[0] - np.eye(group.matrix_dim)).max()) <= atol,
        f"{group}: the first element is not the identity",
    )
    found = group.element_indices(elements)
    require(
        np.array_equal(found, np.arange(count)),
        f"{group}: elements are not distinct, or element_indices does not find them",
    )
    parents, letters = group.word_tree()
    generators = group.generator_matrices()
    for i, (parent, letter) in enumerate(zip(parents.tolist(), letters.tolist(), strict=True)):
        expected = np.eye(group.matrix_dim) if parent < 0 else generators[letter] @ elements[parent]
        require(float(np.abs(elements[i] - expected).max()) <= 1e-6, f"{group}: word_tree does not lead to element {i}")
    for generator in generators:
        images = np.sort(group.element_indices(generator @ elements))
        require(np.array_equal(images, np.arange(count)), f"{group}: a generator does not permute the elements")


def _assert_irreps_complete(group: Group) -> None:
    __tracebackhide__ = True
    elements = group.element_matrices()
    labels = group.irrep_labels(group.order)
    # <chi, chi> is the dimension of the commutant.
    total = 0.0
    for label in labels:
        character = np.trace(group.irrep_matrices(label, elements), axis1=-2, axis2=-1)
        total += group.irrep_dim(label) ** 2 / round(float(np.mean(character**2)))
    require(
        abs(total - group.order) < 1e-6,
        f"{group}: its irreps fill {total:g} of the {group.order} dimensions of the regular representation",
    )


def _belongs(group: Group, elements: Array, what: str) -> None:
    __tracebackhide__ = True
    ok, reason = group.membership(elements) if len(elements) else (True, "")
    require(ok, f"{group}: {what} does not belong to it: {reason}")
