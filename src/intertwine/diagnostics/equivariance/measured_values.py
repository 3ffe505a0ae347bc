"""Values that are measured: checked, widened to float64 and back, and their sizes."""

from collections.abc import Sequence
from typing import Any, NoReturn

import torch

from intertwine._arguments import check_dense
from intertwine._numerics import TOLERANCES
from intertwine.diagnostics.equivariance.actions import Action, AlongAxis, OnGrid, one_tensor
from intertwine.diagnostics.equivariance.typed_parts import TypedParts
from intertwine.errors import ArgumentError, DtypeError, IntertwineError, NonFiniteError, ShapeError, listing
from intertwine.tracing.models.value_trees import described, mapped, tensors

# Sums of squares between these leave no float64 value behind.
SAFE = (1e-140, 1e140)


def check_inputs(values: Sequence[object], types: TypedParts) -> None:
    """Whether the inputs that the group moves are batches of finite numbers.

    Raises:
        ArgumentError, DtypeError, ShapeError, NonFiniteError: they are not.
    """
    for value, part in zip(values, types.parts, strict=True):
        what = types.what_of(part)
        if type(part.action) is Action:  # left alone: anything may pass
            continue
        if isinstance(part.action, AlongAxis | OnGrid) or not any(True for _ in tensors(value)):
            one_tensor(value, what, types.name)
        for tensor in tensors(value):
            check_dense(what, tensor, values=True)
            if not (tensor.dtype in TOLERANCES or is_integer(tensor)):
                raise DtypeError(what, expected=f"dtype {listing(TOLERANCES)}, or integers", got=tensor.dtype)
            if tensor.ndim == 0 or tensor.numel() == 0:
                raise ShapeError(what, expected="at least one sample", got=f"shape {tuple(tensor.shape)}")
            if not is_integer(tensor) and not torch.isfinite(tensor).all():
                raise NonFiniteError(what, expected="finite numbers", got="NaN or infinity")


# What a function raises at inputs that it does not take.
NOT_TAKEN = (RuntimeError, ValueError, IndexError, TypeError)


def refuse_inputs(types: TypedParts, values: Sequence[object], error: Exception) -> NoReturn:
    """What a function raised, as an error of ours that names the inputs.

    Args:
        types: of the inputs.
        values: the inputs.
        error: what it raised.

    Raises:
        DtypeError: an input that the group moves holds integers.
        ArgumentError: any other input.
        IntertwineError: that one, if it was one.
    """
    if isinstance(error, IntertwineError):
        raise error
    said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    for value, part in zip(values, types.parts, strict=True):
        integers = [tensor.dtype for tensor in tensors(value) if is_integer(tensor)]
        if integers and type(part.action) is not Action:
            raise DtypeError(
                types.what_of(part), expected="a dtype that function takes", got=integers[0], advice=f"It says: {said}"
            ) from error
    got = ", ".join(described(value) for value in values)
    raise ArgumentError(types.what, expected="inputs that function takes", got=f"{got}, and {said}") from error


def is_integer(tensor: torch.Tensor) -> bool:
    """Whether the tensor holds integers or truth values."""
    return not (tensor.is_floating_point() or tensor.is_complex())


def tolerance_of(values: object) -> float | None:
    """The table's tolerance for the coarsest floating-point dtype among tensors; None if there is none."""
    return max((TOLERANCES[tensor.dtype] for tensor in tensors(values) if tensor.dtype in TOLERANCES), default=None)


def tolerance(argument: str, value: object) -> float:
    """``value`` as a tolerance.

    Raises:
        ArgumentError: it is no number of at least 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ArgumentError(argument, expected="a number >= 0, or None", got=repr(value))
    return float(value)


def wide(value: object, *, copy: bool = False) -> Any:
    """In float64 (complex128); on the CPU where the device has none."""

    def one(tensor: torch.Tensor) -> torch.Tensor:
        device = "cpu" if tensor.device.type == "mps" else tensor.device
        dtype = torch.promote_types(tensor.dtype, torch.float64)
        return tensor.detach().to(device, dtype, copy=copy)

    return mapped(value, one)


def narrowed(moved: object, like: object, name: str, what: str) -> Any:
    """``moved``, float64, in the dtypes and on the devices of ``like``.

    Raises:
        DtypeError: integers that the action does not map to integers of that dtype.
    """
    originals = iter(tensors(like))

    def one(tensor: torch.Tensor) -> torch.Tensor:
        original = next(originals)
        if is_integer(original):
            back = tensor.round().to(original.device, original.dtype)
            if not torch.equal(wide(back), tensor):
                raise DtypeError(
                    what,
                    expected=f"floating-point numbers, as {name} does not map {original.dtype} onto {original.dtype}",
                    got=original.dtype,
                    advice="Integers can be permuted, or left alone with None.",
                )
            return back
        return tensor.detach().to(original.device, original.dtype).detach().requires_grad_(original.requires_grad)

    return mapped(moved, one)


def check_outputs(values: Sequence[object], types: TypedParts) -> None:
    """Whether the outputs that have a representation are finite numbers.

    Raises:
        ArgumentError: not floating-point or complex tensors, or none at all.
        NonFiniteError: NaN or infinity.
    """
    if not any(True for value in values for _ in tensors(value)):
        got = ", ".join(described(value) for value in values)
        raise ArgumentError("function", expected="at least one tensor among the measured outputs", got=got)
    for value, part in zip(values, types.parts, strict=True):
        inside = list(tensors(value))
        if not inside and type(part.action) is Action:  # nothing, of which nothing is asked
            continue
        integers = [tensor.dtype for tensor in inside if is_integer(tensor)]
        one = isinstance(value, torch.Tensor) or not isinstance(part.action, AlongAxis | OnGrid)
        if integers or not inside or not one:
            several = "dictionary" if hasattr(value, "keys") else "tuple"
            raise ArgumentError(
                "function",
                expected="floating-point or complex tensors as outputs",
                got=integers[0] if integers else described(value),
                advice=f"For several outputs give a {several} as rep_out.",
            )
        for tensor in inside:
            check_dense("function", tensor, values=True)
        if not all(torch.isfinite(tensor).all() for tensor in inside):
            raise NonFiniteError("function", expected="finite outputs", got="NaN or infinity in an output")


def sizes(values: Sequence[torch.Tensor], samples: bool) -> tuple[torch.Tensor, float]:
    """Norms of each sample, and of all: float64, without overflow or underflow.

    Args:
        values: tensors that are taken together.
        samples: whether their first axes count the same samples; else there is one.
    """
    norms = _norms(values, samples)
    total = float(torch.linalg.vector_norm(norms))
    if SAFE[0] < total < SAFE[1]:
        return norms, total
    largest = max((float(value.abs().max()) for value in values if value.numel()), default=0.0)
    if largest == 0 or not largest < float("inf"):
        return norms, total
    norms = _norms([value / largest for value in values], samples)
    return norms, float(torch.linalg.vector_norm(norms)) * largest


def _norms(values: Sequence[torch.Tensor], samples: bool) -> torch.Tensor:
    rows = [value.reshape(len(value), -1) if samples and value.numel() else value.reshape(1, -1) for value in values]
    norms = [torch.linalg.vector_norm(row, dim=1) for row in rows] or [torch.zeros(1, dtype=torch.float64)]
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms), dim=0)
