"""Assertions for users' tests: is this function equivariant, is this a group, a representation, a projector?

They raise ``AssertionError`` with the worst element, the size of the error and the tolerance, and log the measured
error under ``intertwine.testing`` even where they pass, so that slow drifts can be seen.
"""

import itertools
import logging

import numpy as np
import torch

from intertwine._arguments import check_generator, real_number
from intertwine._numerics import TOLERANCES, Array, relative_distance
from intertwine.diagnostics.equivariance.equivariance_assertion import assert_equivariant
from intertwine.diagnostics.models.value_trees import described
from intertwine.errors import ArgumentError
from intertwine.groups import Group
from intertwine.groups.element_text import element_text
from intertwine.projectors import Projector
from intertwine.representations import Representation
from intertwine.representations.irrep_field import IrrepField

__all__ = ["assert_equivariant", "assert_group", "assert_projector", "assert_representation"]

_log = logging.getLogger(__name__)

# Pairs of elements are all tried up to this order; finite groups are listed up to the second.
_ALL_PAIRS, _LISTED = 12, 2000
_SAMPLES = 6
# Dense checks of a projector (its trace, the group average) stop here.
_DENSE_NUMEL, _AVERAGE_WORK = 600, 2**22
_FREE_AXIS = 3


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

    Examples:
        >>> import intertwine as iw
        >>> iw.testing.assert_group(iw.Dihedral(4))
    """
    __tracebackhide__ = True
    _given("group", group, "generator_matrices", "group")
    generator = _checked(atol, generator)
    eye = np.eye(group.matrix_dim)[None]
    _belongs(group, eye, "the identity")
    _belongs(group, group.generator_matrices(), "a generator")
    state = generator.get_state()
    elements = group.sample_matrices(_SAMPLES, generator)
    generator.set_state(state)
    again = group.sample_matrices(_SAMPLES, generator)
    _require(np.array_equal(elements, again), f"{group}: samples depend on more than the generator")
    _belongs(group, elements, "a sample")
    _belongs(group, np.linalg.inv(elements), "an inverse")
    _belongs(group, (elements[:, None] @ elements[None]).reshape(-1, *eye.shape[1:]), "a product")
    if group.is_compact:
        defect = float(np.abs(np.swapaxes(elements, -1, -2) @ elements - eye).max())
        _require(
            defect <= atol, f"{group} is compact, but a sample is off orthogonal by {defect:.1e} (tolerance {atol:g})"
        )
    _assert_algebra(group, atol)
    if group.is_finite and group.order <= _LISTED:
        _assert_elements(group, atol)
    labels = group.irrep_labels(5)
    for label in labels[:8]:
        assert_representation(Representation.of(IrrepField(group, label)), atol=atol, generator=generator)
    if group.is_finite and group.order <= _DENSE_NUMEL:
        _assert_irreps_complete(group)


def assert_representation(
    rep: Representation, *, atol: float = TOLERANCES[torch.float64], generator: torch.Generator | None = None
) -> None:
    """Fails unless ``rho(g h) = rho(g) rho(h)``, ``rho(1) = 1`` and the views of the representation agree.

    Of small finite groups every pair is tried, of others random ones. ``act``, ``matrix``, ``character``, the images
    of the generators and of the Lie algebra must be those of one homomorphism, orthogonal (unitary) if the group is
    compact.

    Args:
        rep: any representation.
        atol: tolerance on matrix entries, relative to the largest one if that is above 1.
        generator: for the samples; a fixed seed if None.

    Raises:
        AssertionError: a law is broken; the message has the elements and the size of the error.
        ArgumentError: no representation.

    Examples:
        >>> import intertwine as iw
        >>> iw.testing.assert_representation(iw.SO(3).irreps("2x0 + 1 + 2"))
    """
    __tracebackhide__ = True
    _given("rep", rep, "segments", "Representation")
    group = rep.group
    generator = _checked(atol, generator)
    small = group.is_finite and group.order <= _ALL_PAIRS
    elements = group.elements() if small else group.sample(_SAMPLES, generator=generator)
    eye = torch.eye(rep.dim, dtype=torch.float64)
    _near(rep.matrix(torch.eye(group.matrix_dim)), eye, atol, f"{rep} of {group}: rho(1) is not the identity")
    matrices = rep.matrix(elements)
    worst, pair = -1.0, (elements[0], elements[0])
    for i, j in itertools.product(range(len(elements)), repeat=2):
        defect = _distance(rep.matrix(elements[i] @ elements[j]), matrices[i] @ matrices[j])
        if defect > worst:
            worst, pair = defect, (elements[i], elements[j])
    _log.info("%s of %s: rho(gh) = rho(g) rho(h) within %.1e", rep, group, worst)
    g, h = (element_text(element) for element in pair)
    _require(
        worst <= atol,
        f"{rep} of {group}: rho(gh) and rho(g) rho(h) differ by {worst:.1e} at g: {g}, h: {h} (tolerance {atol:g})",
    )
    x = torch.randn(3, rep.dim, generator=generator, dtype=torch.float64).to(matrices.dtype)
    for g_, matrix in zip(elements, matrices, strict=True):
        where = f"{rep} of {group} at {element_text(g_)}"
        if group.is_compact:
            _near(matrix.mH @ matrix, eye, atol, f"{where}: the matrix is not orthogonal")
        _near(rep.act(g_, x), x @ matrix.mT, atol, f"{where}: act(g, x) is not matrix(g) x")
        _near(rep.character(g_), matrix.trace(), atol * max(1, rep.dim), f"{where}: character(g) is not the trace")
    _assert_fields(rep, atol)


def assert_projector(
    P: Projector, *, atol: float = TOLERANCES[torch.float64], generator: torch.Generator | None = None
) -> None:
    """Fails unless P is the orthogonal projector on the tensors that its group leaves fixed.

    On random float64 tensors: ``P P W = P W``, ``<P A, B> = <A, P B>``, ``W = P W + residual``, ``g (P W) = P W``; for
    compact groups ``P (g W) = P W`` too; for small ones ``rank`` is the trace of P, and for finite groups P W is the
    mean of g W over all elements. Where ``P.exact`` is False only the first three and the rank are asked.

    Args:
        P: any projector; an axis without representation is tried with length 3.
        atol: tolerance relative to ``|W|``.
        generator: for the tensors and elements; a fixed seed if None.

    Raises:
        AssertionError: a law is broken; the message says which, with the size of the error.
        ArgumentError: no projector.

    Examples:
        >>> import intertwine as iw
        >>> rep = 2 * iw.Cyclic(3).regular()
        >>> iw.testing.assert_projector(iw.projector(rep, rep))
    """
    __tracebackhide__ = True
    _given("P", P, "squared_residual", "Projector")
    generator = _checked(atol, generator)
    shape = tuple(_FREE_AXIS if n is None else n for n in P.shape)
    is_complex = any(rep is not None and rep.is_complex for rep in P.axes)
    kind = torch.complex128 if is_complex else torch.float64
    W, A = (torch.randn(shape, generator=generator, dtype=kind) for _ in range(2))
    PW, size = P.project(W), max(1.0, float(torch.linalg.vector_norm(W)))
    _near(P.project(PW), PW, atol * size, f"{P}: P P W is not P W")
    left, right = torch.vdot(P.project(A).flatten(), W.flatten()), torch.vdot(A.flatten(), PW.flatten())
    _near(left, right, atol * size**2, f"{P}: <P A, B> is not <A, P B>")
    _near(P.residual(W) + PW, W, atol * size, f"{P}: P W + residual is not W")
    squared = torch.linalg.vector_norm(W - PW).square()
    _near(P.squared_residual(W), squared, atol * size**2, f"{P}: squared_residual is not |W - P W|^2")
    free = int(np.prod([_FREE_AXIS for n in P.shape if n is None], dtype=np.int64))
    if W.numel() <= _DENSE_NUMEL:
        trace = sum(
            float(P.project(unit.reshape(shape)).flatten()[i].real)
            for i, unit in enumerate(torch.eye(W.numel(), dtype=kind))
        )
        _require(
            abs(trace - P.rank * free) <= 1e-6 * max(1, W.numel()),
            f"{P}: the trace of P is {trace:.6f}, its rank {P.rank * free}",
        )
    if P.exact:
        _assert_fixed(P, W, PW, atol * size, generator)


def _assert_fixed(P: Projector, W: torch.Tensor, PW: torch.Tensor, atol: float, generator: torch.Generator) -> None:
    """P and the action: fixed, invariant, equal to the mean over a finite group."""
    __tracebackhide__ = True
    group = P.group
    for g in [*group.generators, *group.sample(_SAMPLES, generator=generator)]:
        where = f"{P} at {element_text(g)}"
        # Elements of non-compact groups stretch, and rounding with them.
        stretch = 1.0 if group.is_compact else max(1.0, float(torch.linalg.matrix_norm(g, 2)) ** (2 * len(P.axes)))
        _near(_moved(P, g, PW), PW, atol * stretch, f"{where}: g (P W) is not P W")
        if group.is_compact:
            _near(P.project(_moved(P, g, W)), PW, atol, f"{where}: P (g W) is not P W")
    if group.is_finite and group.order * W.numel() <= _AVERAGE_WORK:
        mean = sum((_moved(P, g, W) for g in group.elements()), torch.zeros_like(W)) / group.order
        _log.info("%s: group average within %.1e", P, _distance(mean, PW))
        _near(PW, mean, atol, f"{P}: P W is not the mean of g W over {group}")


def _moved(P: Projector, g: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    """``g W``: one representation an axis, or several of its axes."""
    moved = P.folded(W)
    for axis, rep in enumerate(P.axes):
        if rep is not None:
            moved = rep.act(g, moved.movedim(axis, -1)).movedim(-1, axis)
    return moved.reshape(W.shape)


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
        _require(
            defect <= atol,
            f"{group}: the bracket of Lie algebra elements {i} and {j} leaves the algebra by {defect:.1e}",
        )


def _assert_elements(group: Group, atol: float) -> None:
    __tracebackhide__ = True
    elements = group.element_matrices()
    count = len(elements)
    _require(count == group.order, f"{group}: {count} elements, but order {group.order}")
    _require(
        float(np.abs(elements[0] - np.eye(group.matrix_dim)).max()) <= atol,
        f"{group}: the first element is not the identity",
    )
    found = group.element_indices(elements)
    _require(
        np.array_equal(found, np.arange(count)),
        f"{group}: elements are not distinct, or element_indices does not find them",
    )
    parents, letters = group.word_tree()
    generators = group.generator_matrices()
    for i, (parent, letter) in enumerate(zip(parents.tolist(), letters.tolist(), strict=True)):
        expected = np.eye(group.matrix_dim) if parent < 0 else generators[letter] @ elements[parent]
        _require(
            float(np.abs(elements[i] - expected).max()) <= 1e-6, f"{group}: word_tree does not lead to element {i}"
        )
    for generator in generators:
        images = np.sort(group.element_indices(generator @ elements))
        _require(np.array_equal(images, np.arange(count)), f"{group}: a generator does not permute the elements")


def _assert_irreps_complete(group: Group) -> None:
    __tracebackhide__ = True
    elements = group.element_matrices()
    labels = group.irrep_labels(group.order)
    # <chi, chi> is the dimension of the commutant.
    total = 0.0
    for label in labels:
        character = np.trace(group.irrep_matrices(label, elements), axis1=-2, axis2=-1)
        total += group.irrep_dim(label) ** 2 / round(float(np.mean(character**2)))
    _require(
        abs(total - group.order) < 1e-6,
        f"{group}: its irreps fill {total:g} of the {group.order} dimensions of the regular representation",
    )


def _assert_fields(rep: Representation, atol: float) -> None:
    """Generator images and Lie algebra images of each field are those of its matrices."""
    __tracebackhide__ = True
    from scipy.linalg import expm

    group = rep.group
    for field in {segment.field for segment in rep.segments}:
        generators = group.generator_matrices()
        defect = relative_distance(field.generator_images(), field.matrices(generators))
        _require(defect <= atol, f"{field.name} of {group}: generator_images differ from its matrices by {defect:.1e}")
        for X, image in zip(group.algebra_matrices(), field.algebra(), strict=True):
            defect = relative_distance(expm(0.4 * image), field.matrices(expm(0.4 * X)[None])[0])
            _require(
                defect <= atol,
                f"{field.name} of {group}: exp of its Lie algebra differs from its matrices by {defect:.1e}",
            )


def _given(argument: str, value: object, attribute: str, kind: str) -> None:
    """Whether ``value`` is of a kind, by an attribute: a proxy is tried like what it stands for, a class is not."""
    if isinstance(value, type) or not hasattr(value, attribute):
        raise ArgumentError(argument, expected=f"a {kind}", got=described(value))


def _checked(atol: object, generator: torch.Generator | None) -> torch.Generator:
    """The generator, one with a fixed seed if None, after checking both arguments."""
    real_number("atol", atol, "a tolerance, a number >= 0", minimum=0)
    check_generator("generator", generator)
    return torch.Generator().manual_seed(0) if generator is None else generator


def _belongs(group: Group, elements: Array, what: str) -> None:
    __tracebackhide__ = True
    ok, reason = group.membership(elements) if len(elements) else (True, "")
    _require(ok, f"{group}: {what} does not belong to it: {reason}")


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest entry of ``|a - b|``, relative to the largest entry if that is above one; infinite for NaN."""
    distance = relative_distance(a.detach().cpu().numpy(), b.detach().cpu().numpy())
    return float("inf") if np.isnan(distance) else distance


def _near(a: torch.Tensor, b: torch.Tensor, atol: float, message: str) -> None:
    __tracebackhide__ = True
    defect = _distance(a, b)
    _require(defect <= atol, f"{message} (off by {defect:.1e}, tolerance {atol:g})")


def _require(ok: object, message: str) -> None:
    __tracebackhide__ = True
    if not ok:
        raise AssertionError(message)
