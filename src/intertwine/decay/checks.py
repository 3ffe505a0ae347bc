"""What is checked of an optimiser and of typed tensors, when a decay is made and at each step."""

import math
from collections.abc import Iterable, Sequence

import torch

from intertwine._numerics import HALF
from intertwine.binding import Binding
from intertwine.binding.writing import check_invertible
from intertwine.decay.decay_step import Averaging
from intertwine.decay.targets import Target
from intertwine.errors import ArgumentError, DtypeError, listing, with_article

# The strength of each projector on a target; None where a callable says.
Strengths = Sequence[float | None]


def may_act(strengths: Strengths) -> bool:
    """Whether any of them is, or may become, more than 0."""
    return any(s is None or s > 0 for s in strengths)


def unprojected_buffers(found: Iterable[tuple[Target, Strengths]]) -> list[str]:
    """Names of running statistics that stay as they are while some parameter is projected.

    Args:
        found: targets with the strengths of their projectors; None where a callable says.
    """
    targets = list(found)
    if not any(math.inf in strengths for target, strengths in targets if not target.is_buffer):
        return []
    return [
        target.name
        for target, strengths in targets
        if target.is_buffer and None not in strengths and math.inf not in strengths
    ]


def check_held(
    optimizer: torch.optim.Optimizer, trained: Sequence[tuple[Target, Sequence[torch.Tensor], Strengths]], advice: str
) -> None:
    """Whether the optimiser holds the typed parameters, with a learning rate where one is needed.

    Args:
        optimizer: the optimiser.
        trained: targets with their parameters that are not frozen.
        advice: what to do if it does not.

    Raises:
        ArgumentError: it does not.
    """
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    missing = []
    for target, parameters, strengths in trained:
        for W in parameters:
            group = groups.get(id(W))
            if group is None:
                missing.append(target.name)
                break
            if "lr" not in group and not all(s == math.inf for s in strengths):
                raise ArgumentError(
                    "optimizer",
                    expected="a learning rate 'lr' in each param group",
                    got=f"none for {target.name}",
                    advice="Only strength=inf needs none.",
                )
    if missing:
        raise ArgumentError(
            "optimizer",
            expected="every typed parameter among its parameters",
            got=f"none of {listing(missing)}",
            advice=advice,
        )


def check_dtype(target: Target, strengths: Strengths) -> None:
    """Whether factors near 1 can be told from 1.

    Raises:
        DtypeError: the tensor is in half precision, and a strength is finite.
    """
    dtype = target.entry.sources(target.model)[0].dtype
    if dtype in HALF and any(s is not None and 0 < s < math.inf for s in strengths):
        raise DtypeError(
            "binding",
            expected=f"{target.name} in float32, as factors near 1 round to 1 in half precision",
            got=str(dtype),
            advice="Keep float32 master weights and run the model under torch.autocast; only inf works as it is.",
        )


def check_computed(target: Target, averaging: Averaging) -> None:
    """Whether a decay can write to a computed tensor, and reaches what is evaluated.

    Raises:
        ArgumentError: what it would be written to is frozen, its right inverse does not give its projection back, or
            the optimiser averages weights.
    """
    computed, owner = target.entry.computed(target.model), target.entry.owner(target.model)
    if computed is not None and not all(W.requires_grad for W in computed.written(owner)):
        raise ArgumentError(
            "binding",
            expected=f"{target.name} to be written to by what is trained",
            got=f"{computed.way_in(owner)}, which is frozen",
            advice="No values of the other parameters make its projection in general. penalty() trains them; LoRA's "
            "factors that start equivariant are kept so (iw.start_adapters_); project_() writes to frozen weights too.",
        )
    if averaging.switches or averaging.inside:
        raise ArgumentError(
            "optimizer",
            expected=f"one that averages no weights, as {target.name} is computed of others",
            got=f"{with_article(type(averaging.optimizer).__name__)}, which averages what it is computed from",
            advice="The average of equivariant weights need not be equivariant then: store the weight "
            "(parametrize.remove_parametrizations, merge_and_unload), or take an optimiser without averages.",
        )
    check_invertible(target.model, target.entry, "binding")


def check_bindings(binding: object) -> tuple[Binding, ...]:
    """The bindings of one, or of a sequence of them."""
    bindings = (binding,) if isinstance(binding, Binding) else tuple(binding) if isinstance(binding, Sequence) else ()
    if not bindings or not all(isinstance(b, Binding) for b in bindings):
        raise ArgumentError(
            "binding",
            expected="a Binding or a sequence of them",
            got=type(binding).__name__,
            advice="Make one with iw.bind(model, types).",
        )
    return bindings
