"""The proximal step of a sum of squared residuals, in place: what shrinks weights towards their equivariant parts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from intertwine._numerics import in_own_precision
from intertwine.errors import ArgumentError
from intertwine.projectors.norms.joint import JointMaps, is_joinable
from intertwine.projectors.projector import Projector

# So many ulps below 1, rounding puts a factor off by 0.4 % at most; nearer to 1 the residual is scaled by itself.
ULPS_BELOW_ONE = 128
Rate = float | torch.Tensor


class Shrinkage(NamedTuple):
    """The proximal step of ``sum_i s_i/2 |W - P_i W|^2`` on one weight.

    Attributes:
        tensor: W, any shape that the projectors take.
        pairs: projectors and strengths > 0, at least one; several commute and measure in the plain norm, unless
            ``in_turn``.
        lr: the step size, which an infinite strength does not need.
        in_turn: one proximal step after the other.
    """

    tensor: torch.Tensor
    pairs: Sequence[tuple[Projector, float]]
    lr: Rate | None
    in_turn: bool = False

    @property
    def rate(self) -> Rate:
        """The step size, as a number unless that would be waited for.

        Raises:
            ArgumentError: it is negative, infinite or NaN, or there is none at a finite strength.
        """
        if isinstance(self.lr, torch.Tensor) and self.lr.device.type != "cpu":
            return self.lr
        if self.lr is None and all(s == math.inf for _, s in self.pairs):
            return 0.0
        rate = math.nan if self.lr is None else float(self.lr)
        if not 0 <= rate < math.inf:
            raise ArgumentError(
                "optimizer", expected="a finite learning rate 'lr' >= 0 in each param group", got=repr(self.lr)
            )
        return rate


@in_own_precision
def shrink_(steps: Sequence[Shrinkage], maps: JointMaps) -> None:
    """Takes all steps, those of small weights with equal shrinkage together.

    Args:
        steps: of different weights.
        maps: where joint maps of small weights are kept from one call to the next.
    """
    # A compiler has no costs of calls, for which small weights are taken together.
    alone = torch.compiler.is_compiling()
    alike: dict[tuple[object, ...], list[Shrinkage]] = {}
    checked: dict[int, Rate] = {}
    for step in steps:
        W, rate = step.tensor, checked.get(id(step.lr)) if step.lr is not None else step.rate
        if rate is None:
            # Once a param group, not once a weight.
            rate = checked[id(step.lr)] = step.rate
        if not alone and len(step.pairs) == 1 and is_joinable(step.pairs[0][0], W):
            key = id(rate) if isinstance(rate, torch.Tensor) else rate
            alike.setdefault((step.pairs[0][1], key, W.device, W.dtype), []).append(step)
        elif len(step.pairs) == 1 or step.in_turn:
            for P, s in step.pairs:
                _shrink_one_(W, P, s, rate)
        else:
            W.copy_(_commuting(W, step.pairs, rate, 0.0))
    for together in alike.values():
        _shrink_together_(together, maps)


def _shrink_together_(steps: Sequence[Shrinkage], maps: JointMaps) -> None:
    """``W <- W - c (W - P W)`` with one projector each and one c for all, ``W <- P W`` at infinite strength."""
    tensors, (_, strength), rate = [step.tensor for step in steps], steps[0].pairs[0], steps[0].rate
    joined = maps.get([step.pairs[0][0] for step in steps], tensors)
    if strength == math.inf:
        torch._foreach_copy_(tensors, joined.split(joined.projections(tensors)))
    elif isinstance(rate, torch.Tensor) or rate:
        shrinkage = rate * strength / (1 + rate * strength)
        residuals = joined.residuals(tensors)
        if isinstance(shrinkage, torch.Tensor):
            torch._foreach_sub_(tensors, joined.split(residuals.mul_(shrinkage)))
        else:
            torch._foreach_add_(tensors, joined.split(residuals), alpha=-shrinkage)


def _shrink_one_(W: torch.Tensor, P: Projector, strength: float, rate: Rate) -> None:
    if strength == math.inf:
        P.shrink_(W, 0.0)
        return
    shrinkage = rate * strength / (1 + rate * strength)
    if isinstance(shrinkage, torch.Tensor):
        P.shrink_(W, 1 - shrinkage)  # a learning rate on the device is not waited for
    elif shrinkage > ULPS_BELOW_ONE * torch.finfo(W.dtype).eps or (shrinkage and P.has_own_norm):
        P.shrink_(W, 1 - shrinkage)
    elif shrinkage:
        W.sub_(P.checked_map(W)(W), alpha=shrinkage)  # nothing here has a graph


def _commuting(W: torch.Tensor, pairs: Sequence[tuple[Projector, float]], rate: Rate, total: float) -> torch.Tensor:
    """``sum over components c of W_c / (1 + rate * strengths that penalise c)``; ``total``: the strengths so far."""
    if total == math.inf:
        return torch.zeros_like(W)
    if not pairs:
        return W / (1 + rate * total)
    (P, s), rest = pairs[0], pairs[1:]
    kept = P.project(W)
    return _commuting(kept, rest, rate, total) + _commuting(W - kept, rest, rate, total + s)
