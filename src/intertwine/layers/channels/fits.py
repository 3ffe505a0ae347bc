"""What functions of every feature do to channels of a known type, and what to use instead where they break it."""

from typing import Any

from intertwine.layers.channels.checks import check_pointwise
from intertwine.layers.grid.finding import Finding
from intertwine.nn.pointwise_activation import is_odd
from intertwine.representations import Representation


def pointwise(
    function: Any, rep: Representation, over: Representation | None = None, *, odd: bool | None = None
) -> Finding:
    """``y_i = f(x_i)``; whether f is odd is tried on numbers if not given.

    Source:
        Cohen and Welling 2017, arXiv 1612.08498, section 2.5.

    Examples:
        >>> import intertwine as iw, torch
        >>> pointwise(torch.relu, iw.Cyclic(4).regular()).verdict, pointwise(torch.relu, iw.SO(3).irrep(1)).verdict
        ('keeps', 'breaks')
    """
    odd = is_odd(function) if odd is None else odd
    for acts in (rep, over):
        ok, reason = (True, "") if acts is None else check_pointwise(acts, odd=odd)
        if not ok:
            signed = not odd and check_pointwise(rep, odd=True)[0]
            signed = signed and (over is None or check_pointwise(over, odd=True)[0])
            first = "Use an odd function such as tanh, " if signed else "Use "
            return Finding("breaks", reason, f"{first}iw.nn.Gate or iw.nn.NormActivation.")
    return FITS


def largest(function: Any, rep: Representation, over: Representation | None = None) -> Finding:
    """The largest over positions, or a softmax: every channel alike, and not odd; no activation takes its place.

    Source:
        Own: a largest value is pointwise in the channels, and ``max(-x)`` is not ``-max(x)``.

    Examples:
        >>> import intertwine as iw, torch
        >>> largest(torch.amax, iw.Cyclic(2).irrep(1)).reason
        'the group changes the sign of 1'
    """
    found = pointwise(function, rep, over, odd=False)
    if found.verdict == "keeps":
        return found
    advice = "Pool by averages, which keep every type, and take a softmax of invariant features alone."
    return Finding(found.verdict, found.reason, advice)


FITS = Finding("keeps", "")
