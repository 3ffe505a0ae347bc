"""The forms of the penalty: how far parameters are from their equivariant part, as a loss term."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from intertwine._arguments import check_choice, integer
from intertwine._numerics import accumulation_dtype, divided, norm, scale_of, scaled_square
from intertwine.binding.entry import Entry
from intertwine.binding.strengths import Strength, entry_strengths
from intertwine.errors import ArgumentError
from intertwine.projectors import Projector
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.weighted_norms import NormTerm, weighted_squared_norms

Form = Literal["squared", "norm", "relative"]
FORMS = ("squared", "norm", "relative")


def penalty_of(
    model: nn.Module,
    entries: Sequence[Entry],
    strength: Strength,
    equivariant_strength: Strength,
    form: Form,
    maps: JointMaps,
) -> torch.Tensor:
    """The sum behind ``Binding.penalty``, where it is documented; ``maps`` are kept from one call to the next."""
    check_choice("form", form, FORMS)
    strengths = entry_strengths(strength, entries)
    equivariant = entry_strengths(equivariant_strength, entries, "equivariant_strength")
    if form == "relative" and any(equivariant):
        raise ArgumentError(
            "equivariant_strength",
            expected="0 for form='relative'",
            got=equivariant_strength,
            advice="A relative residual does not depend on the scale of W, so there is no equivariant part to shrink.",
        )
    values: list[torch.Tensor] = []
    squared: list[NormTerm] = []
    for entry, s, s_equivariant in zip(entries, strengths, equivariant, strict=True):
        if entry.kind == "buffer" or not (s or s_equivariant):
            continue
        W, P = entry.tensor(model), entry.projector
        if form == "squared":
            squared += [NormTerm(P, W, s / 2)] if s else []
            squared += [NormTerm(P, W, s_equivariant / 2, projected=True)] if s_equivariant else []
            continue
        if s:
            values.append(s * _term(P, W, form))
        if s_equivariant:
            values.append(s_equivariant * _term(P, W, form, projected=True))
    if squared:
        return weighted_squared_norms(squared, maps)
    if not values:
        return no_penalty(model, entries)
    return total(values)


def no_penalty(model: nn.Module, entries: Sequence[Entry]) -> torch.Tensor:
    """Zero, as a penalty without terms."""
    first = entries[0].tensor(model)
    real = first.real if first.is_complex() else first
    return torch.zeros((), device=first.device, dtype=accumulation_dtype(real.dtype))


def is_due(every: object, step: object) -> bool:
    """Whether the penalty of several steps is taken in this one: the last of them, as a decay's.

    Raises:
        ArgumentError: no numbers of steps.
    """
    count = integer("every", every, 1)
    if step is None:
        raise ArgumentError(
            "step",
            expected=f"the number of steps done so far, which every={count} goes by",
            got="None",
            advice="As in binding.penalty(0.1, every=8, step=step).",
        )
    return (integer("step", step, 0) + 1) % count == 0


def _term(P: Projector, W: torch.Tensor, form: Form, *, projected: bool = False) -> torch.Tensor:
    """``|A W|`` for the residual (or the projection) A, or half the ratio of its square to that of ``|W|``.

    W is first divided by its largest entry's power of two, so that neither depends on the scale of W.
    """
    wide = W.to(accumulation_dtype(W.dtype))
    scale = scale_of(wide)
    unit = divided(wide, scale)
    image = P.coordinates(P.project(unit) if projected else P.residual(unit))
    if form == "norm":
        return norm(image) * scale
    (rest, rest_scale), (whole, whole_scale) = scaled_square(image), scaled_square(P.coordinates(unit))
    return rest / (2 * torch.where(whole == 0, 1.0, whole)) * (rest_scale / whole_scale).square()


def total(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """The sum of scalars, on the device of the first."""
    result = values[0]
    for value in values[1:]:
        result = result + value.to(result.device)
    return result
