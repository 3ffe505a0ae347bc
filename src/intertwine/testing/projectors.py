"""The assertion that P is the orthogonal projector on what its group leaves fixed."""

import numpy as np
import torch

from intertwine._numerics import TOLERANCES
from intertwine.groups.element_text import element_text
from intertwine.projectors import Projector
from intertwine.testing.measured import (
    DENSE_NUMEL,
    SAMPLES,
    check_kind,
    checked_generator,
    distance,
    log,
    require,
    require_near,
)

# The group average is taken up to this many entries.
_AVERAGE_WORK = 2**22
_FREE_AXIS = 3


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

    Source:
        Own; the definition and the Reynolds operator, asked.

    Examples:
        >>> import intertwine as iw
        >>> rep = 2 * iw.Cyclic(3).regular()
        >>> iw.testing.assert_projector(iw.projector(rep, rep))
    """
    __tracebackhide__ = True
    check_kind("P", P, "squared_residual", "Projector")
    generator = checked_generator(atol, generator)
    shape = tuple(_FREE_AXIS if n is None else n for n in P.shape)
    is_complex = any(rep is not None and rep.is_complex for rep in P.axes)
    kind = torch.complex128 if is_complex else torch.float64
    W, A = (torch.randn(shape, generator=generator, dtype=kind) for _ in range(2))
    PW, size = P.project(W), max(1.0, float(torch.linalg.vector_norm(W)))
    require_near(P.project(PW), PW, atol * size, f"{P}: P P W is not P W")
    left, right = torch.vdot(P.project(A).flatten(), W.flatten()), torch.vdot(A.flatten(), PW.flatten())
    require_near(left, right, atol * size**2, f"{P}: <P A, B> is not <A, P B>")
    require_near(P.residual(W) + PW, W, atol * size, f"{P}: P W + residual is not W")
    squared = torch.linalg.vector_norm(W - PW).square()
    require_near(P.squared_residual(W), squared, atol * size**2, f"{P}: squared_residual is not |W - P W|^2")
    free = int(np.prod([_FREE_AXIS for n in P.shape if n is None], dtype=np.int64))
    if W.numel() <= DENSE_NUMEL:
        trace = sum(
            float(P.project(unit.reshape(shape)).flatten()[i].real)
            for i, unit in enumerate(torch.eye(W.numel(), dtype=kind))
        )
        require(
            abs(trace - P.rank * free) <= 1e-6 * max(1, W.numel()),
            f"{P}: the trace of P is {trace:.6f}, its rank {P.rank * free}",
        )
    if P.exact:
        _assert_fixed(P, W, PW, atol * size, generator)


def _assert_fixed(P: Projector, W: torch.Tensor, PW: torch.Tensor, atol: float, generator: torch.Generator) -> None:
    """P and the action: fixed, invariant, equal to the mean over a finite group."""
    __tracebackhide__ = True
    group = P.group
    for g in [*group.generators, *group.sample(SAMPLES, generator=generator)]:
        where = f"{P} at {element_text(g)}"
        # Elements of non-compact groups stretch, and rounding with them.
        stretch = 1.0 if group.is_compact else max(1.0, float(torch.linalg.matrix_norm(g, 2)) ** (2 * len(P.axes)))
        require_near(_moved(P, g, PW), PW, atol * stretch, f"{where}: g (P W) is not P W")
        if group.is_compact:
            require_near(P.project(_moved(P, g, W)), PW, atol, f"{where}: P (g W) is not P W")
    if group.is_finite and group.order * W.numel() <= _AVERAGE_WORK:
        mean = sum((_moved(P, g, W) for g in group.elements()), torch.zeros_like(W)) / group.order
        log.info("%s: group average within %.1e", P, distance(mean, PW))
        require_near(PW, mean, atol, f"{P}: P W is not the mean of g W over {group}")


def _moved(P: Projector, g: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    """``g W``: one representation an axis, or several of its axes."""
    moved = P.folded(W)
    for axis, rep in enumerate(P.axes):
        if rep is not None:
            moved = rep.act(g, moved.movedim(axis, -1)).movedim(-1, axis)
    return moved.reshape(W.shape)
