"""Arrays and tensors that users give, checked and turned into arrays of one kind."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.errors import ArgumentError, DtypeError, NonFiniteError, ShapeError, with_article

MAX_ENTRY = 1e60  # so that products of a few matrices stay finite


def check_dense(argument: str, tensor: torch.Tensor, *, values: bool = False) -> None:
    """Whether a tensor is one that arithmetic is defined on: dense, in one piece, of a dtype that adds.

    Args:
        argument: its name in an error.
        tensor: what the user gave.
        values: whether its numbers are needed too, which a tensor on the meta device does not have.

    Raises:
        ArgumentError: it is sparse or nested, or, with ``values``, on the meta device.
        DtypeError: eight bits or fewer, which torch stores and does not compute with.
    """
    if tensor.is_nested or tensor.layout is not torch.strided:
        kind = "a nested tensor" if tensor.is_nested else f"layout {tensor.layout}"
        raise ArgumentError(argument, expected="a dense tensor", got=kind, advice="Call to_dense() first.")
    if (tensor.is_floating_point() or tensor.is_complex()) and tensor.dtype.itemsize < 2:
        raise DtypeError(
            argument,
            expected="a dtype that torch computes with, such as torch.float32 or torch.bfloat16",
            got=tensor.dtype,
            advice="Convert it first.",
        )
    if values and tensor.device.type == "meta":
        raise ArgumentError(
            argument,
            expected="a tensor with values",
            got="one on the meta device, which has a shape alone",
            advice="Give the model memory first: model.to_empty(device='cpu'), then its weights.",
        )


def plain_array(argument: str, value: object, expected: str) -> "np.ndarray[Any, Any]":
    """A tensor, or whatever numpy takes, as an array of its own dtype.

    Raises:
        ArgumentError, DtypeError: a tensor that is sparse, nested, without values or of eight bits.
        ShapeError: ragged lists, or lists of such tensors.
    """
    if isinstance(value, torch.Tensor):
        check_dense(argument, value, values=True)
        kept = value.float() if value.dtype == torch.bfloat16 else value  # which numpy does not have
        return kept.detach().cpu().resolve_conj().numpy()
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ShapeError(
            argument, expected=expected, got=f"{with_article(type(value).__name__)} that is no array"
        ) from error


def is_absent(value: object) -> bool:
    """Whether an argument is None or an empty list or array, where that means that it is not given."""
    if isinstance(value, torch.Tensor) and value.is_nested:
        return False
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.ndim > 0 and value.shape[0] == 0
    return value is None or (isinstance(value, list | tuple) and not value)


def real_array(argument: str, value: object, expected: str, *, allow_complex: bool = False) -> Array:
    """Numbers given as a tensor, an array or nested lists of either, as a float64 (complex128) array.

    Args:
        argument: its name in an error.
        value: what the user gave.
        expected: what it should have been, for an error.
        allow_complex: whether complex numbers may pass.

    Raises:
        ArgumentError: not numbers.
        ShapeError: ragged lists.
        NonFiniteError: NaN or infinity.
    """
    try:
        array = np.asarray(_plain(value))
    except (ValueError, TypeError, RuntimeError) as error:
        raise ShapeError(argument, expected=expected, got="arrays of different shapes") from error
    kinds = "bifuc" if allow_complex else "bifu"
    if array.size and array.dtype.kind not in kinds:
        got = "complex numbers" if array.dtype.kind == "c" else type(value).__name__
        raise ArgumentError(argument, expected=expected, got=got)
    array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    if not np.isfinite(array).all():
        raise NonFiniteError(argument, expected=expected, got="NaN or infinity")
    if np.abs(array).max(initial=0.0) > MAX_ENTRY:
        raise ArgumentError(
            argument, expected=f"{expected}, entries below {MAX_ENTRY:.0e}", got=f"{np.abs(array).max():.0e}"
        )
    return array


def square_matrices(argument: str, value: object, *, allow_complex: bool = False) -> Array:
    """Matrices given as a tensor or array (m, d, d), or as a list of m square ones.

    Raises:
        ShapeError: not square, or of different sizes.
        ArgumentError, NonFiniteError: as ``real_array``.
    """
    expected = "matrices of one size, shape (m, d, d)"
    array = real_array(argument, value, expected, allow_complex=allow_complex)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or array.shape[1] == 0:
        raise ShapeError(
            argument, expected=expected, got=f"shape {array.shape}", advice="Wrap a single matrix in a list."
        )
    return array


def permutation_table(
    argument: str, value: object, count: int | None = None, order: Callable[[], str] = lambda: ""
) -> Array:
    """Permutations given as a list of sequences or an array (m, n), each the images of 0 .. n-1, as int64 (m, n).

    Args:
        argument: its name in an error.
        value: what the user gave.
        count: how many there must be.
        order: what they are of, in words, for an error.

    Raises:
        ArgumentError: not ``count`` permutations.
        ShapeError, NonFiniteError: as ``real_array``.
    """
    several = "permutations" if count is None else "1 permutation" if count == 1 else f"{count} permutations"
    expected = f"{several} of 0, ..., n-1, one a generator"
    array = real_array(argument, value, expected)
    if array.ndim == 1 and count == 1 and array.size:
        array = array[None]
    if array.ndim != 2 or (count is not None and len(array) != count):
        said = order()
        advice = "They come in the order of G.generators" + (f": {said}." if said else ".") if count else ""
        raise ShapeError(argument, expected=expected, got=f"shape {array.shape}", advice=advice)
    if array.size and signs_in_indices(array) is not None:
        images, signs = signs_in_indices(array) or (array, array)
        raise ArgumentError(
            argument,
            expected=expected,
            got=f"{str(array.tolist())[:80]}, with signs in the indices",
            advice=f"Give signs apart, as signs=: permutation({images.tolist()}, signs={signs.tolist()}).",
        )
    if (array != np.rint(array)).any() or (np.sort(array, axis=1) != np.arange(array.shape[1])).any():
        bad = next(row for row in array.tolist() if sorted(row) != list(range(len(row))))
        raise ArgumentError(argument, expected=expected, got=str([int(x) if x == int(x) else x for x in bad]))
    return array.astype(np.int64)


def signs_in_indices(array: Array) -> tuple[Array, Array] | None:
    """``(images, signs)`` of permutations (m, n) whose signs are those of the indices, None where there are none such.

    Configuration files of robots write them so, minus zero as a small negative number.

    Examples:
        >>> images, signs = signs_in_indices(np.array([[-1, -0.0001, 2]]))
        >>> images.tolist(), signs.tolist()
        ([[1, 0, 2]], [[-1, -1, 1]])
    """
    size = np.rint(np.abs(array))
    near = np.abs(np.abs(array) - size) < 0.01
    if not np.signbit(array).any() or not near.all() or (np.sort(size, axis=1) != np.arange(array.shape[1])).any():
        return None
    return size.astype(np.int64), np.where(np.signbit(array), -1, 1)


def _plain(value: object) -> object:
    """Tensors inside lists as numpy arrays, since numpy cannot stack tensors by itself."""
    if isinstance(value, torch.Tensor):
        check_dense("the tensor", value, values=True)
        return value.detach().cpu().resolve_conj().numpy()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value
