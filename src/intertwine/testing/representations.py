"""The assertion that a representation is a homomorphism, and that its views agree."""

import itertools

import torch

from intertwine._numerics import TOLERANCES, relative_distance
from intertwine.groups.element_text import element_text
from intertwine.representations import Representation
from intertwine.testing.measured import SAMPLES, check_kind, checked_generator, distance, log, require, require_near

# Pairs of elements are all tried up to this order.
_ALL_PAIRS = 12


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

    Source:
        Own; the definition, asked.

    Examples:
        >>> import intertwine as iw
        >>> iw.testing.assert_representation(iw.SO(3).irreps("2x0 + 1 + 2"))
    """
    __tracebackhide__ = True
    check_kind("rep", rep, "segments", "Representation")
    group = rep.group
    generator = checked_generator(atol, generator)
    small = group.is_finite and group.order <= _ALL_PAIRS
    elements = group.elements() if small else group.sample(SAMPLES, generator=generator)
    eye = torch.eye(rep.dim, dtype=torch.float64)
    require_near(rep.matrix(torch.eye(group.matrix_dim)), eye, atol, f"{rep} of {group}: rho(1) is not the identity")
    matrices = rep.matrix(elements)
    worst, pair = -1.0, (elements[0], elements[0])
    for i, j in itertools.product(range(len(elements)), repeat=2):
        defect = distance(rep.matrix(elements[i] @ elements[j]), matrices[i] @ matrices[j])
        if defect > worst:
            worst, pair = defect, (elements[i], elements[j])
    log.info("%s of %s: rho(gh) = rho(g) rho(h) within %.1e", rep, group, worst)
    g, h = (element_text(element) for element in pair)
    require(
        worst <= atol,
        f"{rep} of {group}: rho(gh) and rho(g) rho(h) differ by {worst:.1e} at g: {g}, h: {h} (tolerance {atol:g})",
    )
    x = torch.randn(3, rep.dim, generator=generator, dtype=torch.float64).to(matrices.dtype)
    for g_, matrix in zip(elements, matrices, strict=True):
        where = f"{rep} of {group} at {element_text(g_)}"
        if group.is_compact:
            require_near(matrix.mH @ matrix, eye, atol, f"{where}: the matrix is not orthogonal")
        require_near(rep.act(g_, x), x @ matrix.mT, atol, f"{where}: act(g, x) is not matrix(g) x")
        require_near(
            rep.character(g_), matrix.trace(), atol * max(1, rep.dim), f"{where}: character(g) is not the trace"
        )
    _assert_fields(rep, atol)


def _assert_fields(rep: Representation, atol: float) -> None:
    """Generator images and Lie algebra images of each field are those of its matrices."""
    __tracebackhide__ = True
    from scipy.linalg import expm

    group = rep.group
    for field in {segment.field for segment in rep.segments}:
        generators = group.generator_matrices()
        defect = relative_distance(field.generator_images(), field.matrices(generators))
        require(defect <= atol, f"{field.name} of {group}: generator_images differ from its matrices by {defect:.1e}")
        for X, image in zip(group.algebra_matrices(), field.algebra(), strict=True):
            defect = relative_distance(expm(0.4 * image), field.matrices(expm(0.4 * X)[None])[0])
            require(
                defect <= atol,
                f"{field.name} of {group}: exp of its Lie algebra differs from its matrices by {defect:.1e}",
            )
