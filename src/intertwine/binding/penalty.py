"""The penalty of several bindings at once."""

from collections.abc import Iterable

import torch

from intertwine.binding.binding import Binding
from intertwine.binding.forms import Form, total
from intertwine.binding.strengths import Strength
from intertwine.errors import ArgumentError


def penalty(terms: Iterable[tuple[Binding, Strength]], *, form: Form = "squared") -> torch.Tensor:
    """The penalties of several bindings, of one group each, added up: ``sum_i binding_i.penalty(strength_i)``.

    Along a chain H < G the squared residuals are nested, ``|W-P_G W|^2 = |W-P_H W|^2 + |P_H W - P_G W|^2``: what
    breaks H pays both strengths, what breaks only G pays the one of G.

    Args:
        terms: pairs ``(binding, strength)``, the strength as in ``Binding.penalty``.
        form: as in ``Binding.penalty``.

    Returns:
        A scalar, differentiable twice.

    Raises:
        ArgumentError: no pairs, or something else than pairs; otherwise as ``Binding.penalty``.

    Source:
        Kim et al. 2023, "Regularizing towards soft equivariance under mixed symmetries" (PER).

    Examples:
        >>> import intertwine as iw, torch
        >>> layer = torch.nn.Linear(4, 4, bias=False)
        >>> regular = iw.Cyclic(4).regular()
        >>> half = regular.restrict(iw.Cyclic(2))
        >>> by_4, by_2 = iw.bind(layer, {"": (regular, regular)}), iw.bind(layer, {"": (half, half)})
        >>> total = iw.penalty([(by_4, 0.1), (by_2, 1.0)])
        >>> bool(torch.isclose(total, by_4.penalty(0.1) + by_2.penalty(1.0)))
        True
    """
    # A tensor counts as iterable, and is none where it has no axis.
    pairs = list(terms) if isinstance(terms, Iterable) and not hasattr(terms, "dtype") else []
    if not pairs or not all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], Binding) for pair in pairs
    ):
        raise ArgumentError(
            "terms",
            expected="pairs (binding, strength)",
            got=repr(terms)[:80],
            advice="As in iw.penalty([(binding, 0.1)]).",
        )
    return total([binding.penalty(strength, form=form) for binding, strength in pairs])
