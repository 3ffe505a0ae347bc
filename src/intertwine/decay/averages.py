"""Other sequences of weights that an optimiser keeps: what it averages, and the averages."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from intertwine.errors import ArgumentError

# Entries of an optimiser's state that are weights: the base sequence z and the average x of schedule-free optimisers,
# SPlus's and ASGD's averages, the slow weights of lookahead (also inside Ranger, Ranger21, EmoNavi). heavyball writes
# what stores them before the name, and a number behind it.
ITERATES = re.compile(r"(?:.*_)?z(?:_\d+)?|x|ema|ax|slow_params|slow_buffer|lookahead_params|shadow")
BASE = re.compile(r"(?:.*_)?z(?:_\d+)?")
SUMS = ("running_weight_sum", "weight_sum")

Group = Mapping[str, Any]
Share = float | torch.Tensor


def iterates(state: Mapping[Any, Any], W: torch.Tensor) -> dict[str, torch.Tensor]:
    """The sequences of weights in the state of the parameter W, by name, in its shape."""
    found = {}
    for name, value in _flat(state):
        if _is_iterate(name) and isinstance(value, torch.Tensor) and _is_like(value, W):
            found[name] = value.view(W.shape)
    return found


def holds_no_weights(state: Mapping[Any, Any]) -> bool:
    """Whether its names alone say that there are no ``iterates``, whatever the values become."""
    return not any(isinstance(value, Mapping) for value in state.values()) and not any(
        isinstance(name, str) and _is_iterate(name) for name in state
    )


@lru_cache(256)
def _is_iterate(name: str) -> bool:
    return ITERATES.fullmatch(name) is not None


def _flat(state: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values; heavyball has a mapping for each view of a parameter."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            yield from ((inner, deep) for inner, deep in value.items() if isinstance(inner, str))
        elif isinstance(name, str):
            yield name, value


def _is_like(value: torch.Tensor, W: torch.Tensor) -> bool:
    if value.numel() != W.numel() or value.is_complex() != W.is_complex():
        return False
    return value.dtype.is_floating_point == W.dtype.is_floating_point and (
        value.shape == W.shape or value.is_contiguous()
    )


class Correction(NamedTuple):
    """What takes the proximal step, and what moves with it.

    Attributes:
        stepped: the tensor that takes the step.
        followers: other sequences, each with the share of the change that it gets.
    """

    stepped: torch.Tensor
    followers: tuple[tuple[torch.Tensor, Share], ...] = ()


def correction(
    W: torch.Tensor, state: Mapping[Any, Any], group: Group, sum_before: Any, *, switches: bool, argument: str
) -> Correction:
    """Where a decay of finite strength acts, so that train and eval weights are both those of the decayed run.

    Schedule-free: the base sequence takes the proximal step, ``z -> z + D``. The average ``x = (1 - c) x + c z`` was
    taken before it, so that it gets ``c D``, and the parameter ``y = (1 - b) z + b x`` gets ``(1 - b + b c) D``.
    An optimiser without ``eval`` leaves x in the parameter: b = 1. SPlus: the parameter takes the step, and its average
    gets ``(1 - ema_rate) D``. Lookahead and ASGD: the parameter alone; their sequences follow it at the next step.

    Args:
        W: the parameter.
        state: what the optimiser keeps for it.
        group: its param group.
        sum_before: ``weight_sum(group)`` before the step.
        switches: whether the optimiser puts an average into the parameters for evaluation.
        argument: what to call the strength in an error.

    Raises:
        ArgumentError: it does, but not by one of these rules.
    """
    kept = iterates(state, W)
    if not kept:
        return Correction(W)
    z = next((value for name, value in kept.items() if BASE.fullmatch(name)), None)
    after = weight_sum(group)
    if z is not None and after is not None:
        b = _momentum(group) if switches else 1.0
        c = _share(sum_before, after)
        if group.get("schedulefree_c"):  # prodigy-plus
            c = min(1.0, c * (1 - b) * group["schedulefree_c"])
        followers = [(W, 1 - b + b * c)]
        if "x" in kept:
            followers.append((kept["x"], c))
        return Correction(z, tuple(followers))
    if "ema" in kept and "ema_rate" in group:
        return Correction(W, ((kept["ema"], 1 - group["ema_rate"]),))
    if switches:
        raise ArgumentError(
            argument,
            expected="inf, or an optimiser whose average is known (schedule-free, SPlus)",
            got=f"a finite one, and weights kept as {', '.join(kept)} whose rule is not",
            advice="Use strength=inf, binding.penalty(), or the optimiser without its average.",
        )
    return Correction(W)


def weight_sum(group: Group) -> Any:
    """What the weights of the schedule-free average add up to; None without one."""
    return next((group[name] for name in SUMS if name in group), None)


def _share(before: Any, after: Any) -> Share:
    """The weight c of the newest member in the average, from what the weights added up to before and after."""
    before = 0.0 if before is None else before
    if isinstance(after, torch.Tensor):
        return torch.nan_to_num(1 - before / after)
    return float(1 - before / after) if after else 0.0


def _momentum(group: Group) -> float:
    """Momentum b of a schedule-free optimiser."""
    beta = group.get("beta")
    if beta is None:
        beta = group["betas"][0] if "betas" in group else group["momentum"]
    return float(beta)
