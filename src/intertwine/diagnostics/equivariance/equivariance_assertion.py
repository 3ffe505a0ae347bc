"""The assertion that a function is equivariant; public as ``intertwine.testing.assert_equivariant``."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from intertwine._arguments import check_function
from intertwine.diagnostics.equivariance.equivariance_error import equivariance_error
from intertwine.diagnostics.equivariance.measured_error import EquivarianceError
from intertwine.diagnostics.equivariance.measured_values import tolerance
from intertwine.errors import ArgumentError
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.tracing.models.value_trees import children, rebuilt

_log = logging.getLogger("intertwine.testing")


def assert_equivariant(  # noqa: PLR0913 - as equivariance_error, and tolerances
    function: Callable[..., object],
    rep_in: object,
    rep_out: object,
    x: Any = None,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    num_samples: int | None = None,
    generator: torch.Generator | None = None,
    group: Group | None = None,
    axis_in: object = -1,
    axis_out: object = -1,
) -> EquivarianceError:
    """Fails unless ``f(g x) = g f(x)`` within tolerance, for every element of a finite group or for sampled ones.

    It passes if the worst relative error is at most ``rtol``, or the worst absolute error (root mean square of an
    entry) at most ``atol``.

    Args:
        function: the function or module; a module is put in eval mode and restored.
        rep_in: as in ``equivariance_error``.
        rep_out: likewise.
        num_samples: likewise.
        group: likewise.
        axis_in: likewise.
        axis_out: likewise.
        x: inputs, as in ``equivariance_error``; 8 random ones for each representation, in the dtype and on the device
            of the module, if None.
        atol: 0 if None; outputs that are zero up to rounding need one.
        rtol: the tolerance of the dtype of x if None (float32: 1e-5, float64: 1e-10); of the outputs where x holds
            integers.
        generator: for x and the elements; if None a fixed seed, so that a failure comes back.

    Returns:
        What was measured.

    Warns:
        IdentityActionWarning: it passes, but every element acted as the identity.

    Raises:
        AssertionError: not equivariant; the message has the worst element, and what else the error may come from.

    Source:
        Own; the definition ``f(g x) = g f(x)``, asked.

    Examples:
        >>> import intertwine as iw, torch
        >>> rep = 4 * iw.Cyclic(4).regular()
        >>> _ = iw.testing.assert_equivariant(torch.relu, rep, rep)
        >>> iw.testing.assert_equivariant(lambda x: x * torch.arange(16), rep, rep)
        Traceback (most recent call last):
        ...
        AssertionError: <lambda> is not equivariant under C4: relative error ... at worst (turn by ... degrees), ...
    """
    __tracebackhide__ = True
    check_function("function", function, "a function or a torch.nn.Module")
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    rtol, atol = (None if given is None else tolerance(name, given) for name, given in (("rtol", rtol), ("atol", atol)))
    if x is None:
        x = _random_input(function, rep_in, axis_in, generator)
    error = equivariance_error(
        function,
        rep_in,
        rep_out,
        x,
        num_samples=num_samples,
        generator=generator,
        group=group,
        axis_in=axis_in,
        axis_out=axis_out,
    )
    rtol, atol = error.tolerance if rtol is None else rtol, 0.0 if atol is None else atol
    name = type(function).__name__ if isinstance(function, nn.Module) else getattr(function, "__name__", repr(function))
    _log.info("%s: %s", name, error)
    message = (
        f"{name} is not equivariant under {error.group}: relative error {error.relative_worst:.2e} at worst "
        f"({error.where}), tolerance {rtol:g}; absolute {error.absolute_worst:.2e}, tolerance {atol:g}; mean relative "
        f"{error.relative_mean:.2e} over {error.num_elements} {'(all)' if error.exact else 'random'} elements"
    )
    message = "; ".join([message, *error.notes])
    if not (error.relative_worst <= rtol or error.absolute_worst <= atol):
        raise AssertionError(message)
    return error


def _random_input(function: object, rep_in: object, axis: object, generator: torch.Generator) -> Any:
    if axis != -1:
        raise ArgumentError("x", expected="inputs, as axis_in is not the last axis", got="None")
    if type(rep_in) in (tuple, list, dict):
        parts = children(rep_in) or {}
        return rebuilt(rep_in, {key: _random_input(function, rep, axis, generator) for key, rep in parts.items()})
    rep = as_representation(rep_in, "rep_in")
    parameter = next(function.parameters(), None) if isinstance(function, nn.Module) else None
    dtype = torch.get_default_dtype() if parameter is None else parameter.dtype
    if rep.is_complex and not dtype.is_complex:
        dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    x = torch.randn(8, rep.dim, generator=generator, dtype=torch.complex128 if dtype.is_complex else torch.float64)
    return x.to(dtype=dtype, device=None if parameter is None else parameter.device)
