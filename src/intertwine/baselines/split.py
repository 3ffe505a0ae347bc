"""Ours with moments of their own for both parts of each weight."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine._arguments import check_function
from intertwine.baselines.method import Method
from intertwine.errors import ArgumentError
from intertwine.split import SplitAdamW, SplitOptimizer
from intertwine.split.component_optimizer import ComponentOptimizer

# What SplitAdamW has of a param group of Adam.
SHARED = ("params", "lr", "betas", "eps", "weight_decay", "maximize", "capturable")


class Split(Method):
    """``W <- W - lr (P u_e + (1-P) u_r)``, ``W <- PW + (W-PW)/(1 + lr s)``; u_e by moments of P g, u_r of the rest.

    The optimiser is made by ``optimizer(make)`` alone. If ``make`` gives ``Adam`` or ``AdamW`` it is ``SplitAdamW``
    with their options; of any other, and of Adam with an L2 term or AMSGrad, a ``SplitOptimizer`` around it. At
    strength ``inf`` it is the row "exactly equivariant".

    Raises:
        ArgumentError: from ``attach``, of another optimiser; from ``optimizer``, typed tensors that a parametrisation
            computes, or whose projectors do not commute.

    Source:
        ``intertwine.SplitAdamW``.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Split, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = Split(subject, strength=2.0)
        >>> optimizer = method.optimizer(lambda groups: torch.optim.Adam(groups, lr=0.1))
        >>> type(optimizer).__name__, optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]
        ('SplitAdamW', 0.1, 0)
    """

    name = "split"
    label = "split moments"
    source = "intertwine"
    tuned = True
    infinite = True
    equivariant_start = True

    def optimizer(self, make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer]) -> torch.optim.Optimizer:
        check_function("make", make, "a function of param groups that gives an optimiser", takes=1)
        whole = make(self.parameter_groups())
        binding = self.subject.binding
        if type(whole) in (torch.optim.Adam, torch.optim.AdamW) and all(map(_is_plain, whole.param_groups)):
            groups = [{name: group[name] for name in SHARED} for group in whole.param_groups]
            return SplitAdamW(groups, binding, strength=self.strength)
        return SplitOptimizer(make, self.parameter_groups(), binding, strength=self.strength)

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        if not isinstance(optimizer, ComponentOptimizer) or self.subject.binding not in optimizer.bindings:
            raise ArgumentError(
                "optimizer",
                expected="what method.optimizer(make) gives, as split moments are the optimiser's own",
                got=type(optimizer).__name__,
                advice="Write optimizer = method.optimizer(lambda groups: torch.optim.Adam(groups, lr=1e-3)).",
            )


def _is_plain(group: dict[str, Any]) -> bool:
    """Whether Adam's steps of a param group are those of AdamW."""
    return not group["amsgrad"] and (bool(group["decoupled_weight_decay"]) or not group["weight_decay"])
