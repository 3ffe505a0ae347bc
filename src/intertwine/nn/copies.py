"""Features as copies of fields: views, norms, and the checks that all layers share."""

from collections.abc import Callable

import torch

from intertwine._arguments import check_dense, check_instance
from intertwine._numerics import accumulation_dtype, power_of_two
from intertwine.errors import ArgumentError, DtypeError, NotOrthogonalError, ShapeError
from intertwine.groups.adapters.notation import as_representation
from intertwine.representations import Field, Representation

Activation = Callable[[torch.Tensor], torch.Tensor]


def real_representation(rep: object, *, orthogonal: bool) -> Representation:
    """``rep`` as a representation by real, and on request orthogonal, matrices.

    Raises:
        ArgumentError: not a representation, or a complex one.
        NotOrthogonalError: norms were to be taken, and the group does not keep them.
    """
    checked = as_representation(rep, "rep")
    if checked.is_complex:
        raise ArgumentError(
            "rep",
            expected="a real representation",
            got=f"the complex {checked}",
            advice="Use real and imaginary parts as features.",
        )
    bad = [segment.field.name for segment in checked.segments if orthogonal and not segment.field.is_orthogonal]
    if bad:
        raise NotOrthogonalError(
            "rep",
            expected=f"fields whose norm {checked.group} keeps",
            got=", ".join(bad),
            advice="Use iw.nn.Gate instead.",
        )
    return checked


def check_features(x: torch.Tensor, rep: Representation) -> None:
    """Whether ``x`` has shape (..., rep.dim) and holds real floating-point numbers.

    Raises:
        ArgumentError: it is no dense tensor.
        ShapeError: it has another shape.
        DtypeError: it holds integers or complex numbers.
    """
    check_instance("x", x, torch.Tensor, f"a tensor of shape (..., {rep.dim})")
    check_dense("x", x)
    if x.ndim == 0 or x.shape[-1] != rep.dim:
        raise ShapeError("x", expected=f"shape (..., {rep.dim}), from {rep}", got=f"shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise DtypeError("x", expected="real floating-point features", got=str(x.dtype))


def is_trivial(field: Field) -> bool:
    """Whether the group leaves every vector of the field fixed."""
    images = field.generator_images()
    unit = torch.eye(field.dim, dtype=torch.float64).numpy()
    return bool(abs(images - unit).max(initial=0.0) < 1e-12 and abs(field.algebra()).max(initial=0.0) < 1e-12)


def widened(x: torch.Tensor) -> torch.Tensor:
    """``x``, in float32 if it comes in half precision: squares of float16 overflow at 256."""
    return x.to(accumulation_dtype(x.dtype))


def scale_of_copies(part: torch.Tensor, dims: tuple[int, ...], least: float) -> torch.Tensor:
    """The power of two at the largest entry over ``dims``, kept as 1, or at ``least`` if that is larger; no gradient.

    Entries divided by it have squares that neither overflow nor vanish beside those of the others.
    """
    return power_of_two(part.detach().abs().amax(dims, keepdim=True).clamp(min=least))
