"""Precision is a policy, written once: tolerances, dtypes, norms at any scale, autocast, rank decisions."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from intertwine.errors import SeparationError

Array = NDArray[Any]
P = ParamSpec("P")
T = TypeVar("T")

# Relative to the norm of the operand. Constants are built in float64, half precision accumulates in float32.
TOLERANCES = {
    torch.float64: 1e-10,
    torch.complex128: 1e-10,
    torch.float32: 1e-5,
    torch.complex64: 1e-5,
    torch.float16: 5e-3,
    torch.bfloat16: 2e-2,
}
HALF = (torch.float16, torch.bfloat16)
# A user's matrices come from text, float32 files or rounding by hand; closer than this they are taken as meant.
INPUT_TOLERANCE = 1e-6
# Eigenvalues of a Gram matrix, relative to the largest: below the first they are zero, above the second they are not.
ZERO_EIGENVALUE, NONZERO_EIGENVALUE = 1e-11, 1e-8


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for half precision, the dtype itself otherwise."""
    return torch.float32 if dtype in HALF else dtype


def in_own_precision(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, out of reach of ``torch.autocast``: the same bits inside of it and outside.

    Autocast would lower the matrix products of a projection to bfloat16, and with them a residual of 1e-7 to 1e-3. It
    goes on what users call and on backward passes, which autograd may run in a context of their own; what those call
    needs none.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        if not torch._C._is_any_autocast_enabled():
            return function(*args, **kwargs)
        if torch.compiler.is_compiling():  # which does not know the guard below
            with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
                return function(*args, **kwargs)
        with torch._C._DisableAutocast():
            return function(*args, **kwargs)

    return guarded


def power_of_two(largest: torch.Tensor) -> torch.Tensor:
    """The power of two at or below each number, elementwise without gradient; 1 for 0, infinity and NaN.

    What is divided by it keeps its digits, and what has no entry above 2 neither overflows nor vanishes when squared.
    Of subnormal numbers it is the least normal one, whose reciprocal is a number.
    """
    largest = largest.detach()
    mantissa = torch.frexp(largest)[0]
    power = (largest / (2 * mantissa)).clamp(min=torch.finfo(largest.dtype).tiny)
    return torch.where((largest > 0) & (largest < torch.inf), power, 1.0)


def widest(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor`` in double precision; in its accumulation dtype on a device that has none."""
    if tensor.device.type == "mps":
        return tensor.to(accumulation_dtype(tensor.dtype))
    return tensor.to(torch.promote_types(tensor.dtype, torch.float64))


def scale_of(tensor: torch.Tensor) -> torch.Tensor:
    """``power_of_two`` of the largest entry, a real scalar without gradient; 1 where there are no entries."""
    parts = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    if not parts.numel():
        return torch.ones((), dtype=parts.dtype, device=parts.device)
    return power_of_two(torch.linalg.vector_norm(parts.detach(), torch.inf))


def divided(tensor: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """``tensor / scale`` for a real scale: complex division by a number whose square overflows is not exact."""
    if tensor.is_complex():
        return torch.view_as_complex(torch.view_as_real(tensor.resolve_conj()) / scale)
    return tensor / scale


def scaled_square(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """``(a, b)`` with ``|tensor|^2 = a b^2``: b a power of two, the largest square in a between 1 and 4.

    The norm is then ``sqrt(a) b``, and no square leaves the range of the dtype on the way to it: one way of taking
    norms for entries from 1e-38 to 1e38 in float32 (1e-307 to 1e307 in float64). ``a`` is differentiable twice.
    """
    scale = scale_of(tensor)
    parts = divided(tensor, scale)
    parts = torch.view_as_real(parts.resolve_conj()) if parts.is_complex() else parts
    return (parts * parts).sum(), scale


def norm(tensor: torch.Tensor) -> torch.Tensor:
    """``|tensor|`` at any scale, a real scalar, differentiable twice; its derivatives are 0 at 0, where it has none."""
    square, scale = scaled_square(tensor)
    dead = square == 0
    return torch.where(dead, 1.0, square).sqrt() * ~dead * scale


def squared_norm(tensor: torch.Tensor) -> torch.Tensor:
    """``|tensor|^2`` over all entries, a real scalar, without a temporary of the tensor's size.

    For penalties, which pay for every pass: infinite where the square is above the dtype's range, 0 where it is below.
    Everything else takes ``norm``. A dot product is twice as fast as a norm where it pays to start the threads of BLAS,
    which counts in 32 bits.
    """
    if not 2**17 <= tensor.numel() < 2**31:
        return torch.linalg.vector_norm(tensor).square()
    flat = (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).reshape(-1)
    return torch.dot(flat, flat)


def nullspace(constraints: Array, argument: str) -> Array:
    """Orthonormal basis, shape (dim, nullity), of ``{v : constraints @ v = 0}``.

    The Gram matrix is diagonalised (cheaper than an SVD of tall stacks); its eigenvalues are squares, so what is zero
    is decided between two thresholds, and anything between them is an error instead of a guess.

    Args:
        constraints: shape (rows, dim), real or complex.
        argument: what to call the matrices in an error.

    Raises:
        SeparationError: an eigenvalue is neither clearly zero nor clearly not.
    """
    dim = constraints.shape[1]
    if constraints.shape[0] == 0 or dim == 0:
        return np.eye(dim, dtype=constraints.dtype)
    gram = constraints.conj().T @ constraints
    eigenvalues, vectors = np.linalg.eigh(gram)
    scale = max(float(eigenvalues[-1]), 1e-300)
    relative = eigenvalues / scale
    # Constraints that are all rounding noise (a trivial action) leave everything fixed.
    if scale < 1e-20 * max(1, dim):
        return np.eye(dim, dtype=constraints.dtype)
    null = relative < ZERO_EIGENVALUE
    unclear = ~null & (relative < NONZERO_EIGENVALUE)
    if unclear.any():
        raise SeparationError(
            argument,
            expected=f"relative singular values < {ZERO_EIGENVALUE**0.5:.0e} or > {NONZERO_EIGENVALUE**0.5:.0e}",
            got=f"{np.sqrt(relative[unclear][0]):.1e}",
            advice="The matrices are nearly, but not exactly, compatible; give them in float64 to full precision.",
        )
    return vectors[:, null]


def relative_distance(a: Array, b: Array) -> float:
    """``|a - b| / max(|a|, |b|, 1)`` in the largest entry."""
    if a.size == 0:
        return 0.0
    return float(np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max(), 1.0))
