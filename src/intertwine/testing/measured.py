"""What every assertion does: check its arguments, measure a distance, fail with the size of the error."""

import logging

import numpy as np
import torch

from intertwine._arguments import check_generator, real_number
from intertwine._numerics import relative_distance
from intertwine.errors import ArgumentError
from intertwine.tracing.models.value_trees import described

log = logging.getLogger("intertwine.testing")

# Elements that are drawn from a group too large to list.
SAMPLES = 6
# Dense checks (the trace of a projector, all irreps of a group) stop here.
DENSE_NUMEL = 600


def check_kind(argument: str, value: object, attribute: str, kind: str) -> None:
    """Whether ``value`` is of a kind, by an attribute: a proxy is tried like what it stands for, a class is not."""
    if isinstance(value, type) or not hasattr(value, attribute):
        raise ArgumentError(argument, expected=f"a {kind}", got=described(value))


def checked_generator(atol: object, generator: torch.Generator | None) -> torch.Generator:
    """The generator, one with a fixed seed if None, after checking both arguments."""
    real_number("atol", atol, "a tolerance, a number >= 0", minimum=0)
    check_generator("generator", generator)
    return torch.Generator().manual_seed(0) if generator is None else generator


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Largest entry of ``|a - b|``, relative to the largest entry if that is above one; infinite for NaN."""
    found = relative_distance(a.detach().cpu().numpy(), b.detach().cpu().numpy())
    return float("inf") if np.isnan(found) else found


def require_near(a: torch.Tensor, b: torch.Tensor, atol: float, message: str) -> None:
    """Fails where two tensors are further apart than ``atol``, saying how far."""
    __tracebackhide__ = True
    defect = distance(a, b)
    require(defect <= atol, f"{message} (off by {defect:.1e}, tolerance {atol:g})")


def require(ok: object, message: str) -> None:
    """Fails with the message unless ``ok``; unlike ``assert`` also under ``python -O``."""
    __tracebackhide__ = True
    if not ok:
        raise AssertionError(message)
