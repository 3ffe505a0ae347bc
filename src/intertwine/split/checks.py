"""What is checked of typed tensors, and of the optimiser that gets their components."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from intertwine._numerics import HALF
from intertwine.decay.checks import Strengths, unprojected_buffers
from intertwine.decay.targets import Target
from intertwine.errors import ArgumentError, DecayWarning, DtypeError, listing


def check_targets(targets: Sequence[Target]) -> None:
    """Whether each typed tensor has moments.

    Raises:
        ArgumentError: it does not.
    """
    computed = [target.name for target in targets if target.is_computed]
    if computed:
        raise ArgumentError(
            "binding",
            expected="typed tensors that are parameters",
            got=f"{listing(computed)}, which a parametrisation or an adapter computes",
            advice="Take AdamW with an EquivarianceDecay, which writes through right inverses; of LoRA bind the "
            "factors (iw.start_adapters_).",
        )
    reasons = [target.reason for target in targets if target.reason]
    if reasons:
        raise ArgumentError(
            "binding",
            expected="projectors that commute, as along a chain of subgroups",
            got="; ".join(reasons),
            advice="EquivarianceDecay applies them in turn.",
        )


def check_weight(name: str, W: torch.Tensor, *, has_own_norm: bool) -> None:
    """Whether a weight's components can be parameters.

    Raises:
        DtypeError: half precision.
        ArgumentError: its projector has a norm of its own.
    """
    if W.dtype in HALF:
        raise DtypeError(
            "binding",
            expected=f"{name} in float32, as small steps are lost in half precision",
            got=str(W.dtype),
            advice="SplitAdamW keeps a copy in float32; or run a float32 model under torch.autocast.",
        )
    if has_own_norm:
        raise ArgumentError(
            "binding",
            expected="projectors in the norm of the stored numbers",
            got=f"that of {name}, which has its own",
            advice="Take SplitAdamW, or EquivarianceDecay.",
        )


def check_dense_gradient(name: str, W: torch.Tensor) -> None:
    """Whether a weight's gradient can be projected.

    Raises:
        ArgumentError: it is sparse.
    """
    if W.grad is not None and W.grad.is_sparse:
        raise ArgumentError(
            "params",
            expected="dense gradients",
            got=f"sparse ones of {name}",
            advice="Make the embedding with sparse=False.",
        )


def made(
    make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer], groups: list[dict[str, Any]]
) -> torch.optim.Optimizer:
    """What ``make`` gives.

    Raises:
        ArgumentError: no optimiser, or one of other parameters.
    """
    found = make([dict(group) for group in groups])
    held = [list(map(id, group["params"])) for group in getattr(found, "param_groups", [])]
    if held != [list(map(id, group["params"])) for group in groups] or not callable(getattr(found, "step", None)):
        raise ArgumentError(
            "make",
            expected="a function that gives an optimiser over the groups that it gets",
            got=type(found).__name__ if not held else f"a {type(found).__name__} over other parameters or groups",
            advice="Write lambda groups: torch.optim.NAdam(groups, lr=1e-3).",
        )
    return found


def warn_unprojected(targets: Sequence[Target], fixed: Sequence[Strengths]) -> None:
    """Says which running statistics stay as they are beside weights that are projected."""
    unprojected = unprojected_buffers(zip(targets, fixed, strict=True))
    if unprojected:
        warnings.warn(
            f"{listing(unprojected)} stay as they are, so that eval mode is not exact: running "
            "statistics are projected at strength inf of their own.",
            DecayWarning,
            stacklevel=4,
        )
