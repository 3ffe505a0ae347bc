"""Precision is a policy, written once: tolerances, accumulation dtypes, rank decisions."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intertwine.errors import SeparationError

Array = NDArray[Any]

# Relative to the norm of the operand. Constants are built in float64, half precision accumulates in float32.
TOLERANCES = {
    torch.float64: 1e-10,
    torch.complex128: 1e-10,
    torch.float32: 1e-5,
    torch.complex64: 1e-5,
    torch.float16: 5e-3,
    torch.bfloat16: 2e-2,
}
# A user's matrices come from text, float32 files or rounding by hand; closer than this they are taken as meant.
INPUT_TOLERANCE = 1e-6
# Eigenvalues of a Gram matrix, relative to the largest: below the first they are zero, above the second they are not.
ZERO_EIGENVALUE, NONZERO_EIGENVALUE = 1e-11, 1e-8


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for half precision, the dtype itself otherwise."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def squared_norm(tensor: torch.Tensor) -> torch.Tensor:
    """``|tensor|^2`` over all entries, a real scalar, without a temporary of the tensor's size.

    A dot product is twice as fast as a norm where it pays to start the threads of BLAS, which counts in 32 bits.
    """
    if not 2**17 <= tensor.numel() < 2**31:
        return torch.linalg.vector_norm(tensor).square()
    flat = (torch.view_as_real(tensor) if tensor.is_complex() else tensor).reshape(-1)
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
