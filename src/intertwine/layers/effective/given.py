"""The effective tensors of layers of the user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from intertwine._arguments import check_function
from intertwine.errors import ArgumentError, with_article
from intertwine.layers.effective.computed import Computed


@dataclass(frozen=True)
class Effective(Computed):
    """A weight that a layer of your own computes of its parameters, for ``LayerRule(effective={"weight": ...})``.

    What the layer multiplies with is measured and penalised, as a low-rank update ``W + B A`` is: neither W nor the
    factors say by themselves how far it is from equivariant.

    Attributes:
        compute: ``module -> tensor``, differentiable in the module's parameters.
        assign: ``(module, value) -> None``, changes parameters so that ``compute`` gives ``value``; it runs without
            gradients, and what it makes is compared. None: projections and decays of the weight are refused.
        assigned: ``module -> parameters`` that ``assign`` changes; all of the module if None.

    Raises:
        ArgumentError: not functions.

    Examples:
        >>> import intertwine as iw, torch
        >>> class LowRank(torch.nn.Module):
        ...     def __init__(self, width, rank):
        ...         super().__init__()
        ...         self.base = torch.nn.Linear(width, width, bias=False).requires_grad_(False)
        ...         self.A = torch.nn.Parameter(torch.randn(rank, width))
        ...         self.B = torch.nn.Parameter(torch.randn(width, rank))
        ...
        ...     def forward(self, x):
        ...         return self.base(x) + x @ self.A.T @ self.B.T
        >>> weight = Effective(lambda m: m.base.weight + m.B @ m.A)
        >>> rule = iw.LayerRule(lambda m, t: (t.matrix("weight", t.rep_in, t.rep_out),), effective={"weight": weight})
        >>> V = 2 * iw.Cyclic(4).regular()
        >>> binding = iw.bind(LowRank(8, 4), {"": (V, V)}, rules={LowRank: rule})
        >>> binding.penalty(0.1).backward()
        >>> binding.model.A.grad is not None, binding.model.base.weight.grad is None
        (True, True)
    """

    compute: Callable[[Any], torch.Tensor]
    assign: Callable[[Any, torch.Tensor], object] | None = None
    assigned: Callable[[Any], tuple[torch.Tensor, ...]] | None = None

    def __post_init__(self) -> None:
        check_function("compute", self.compute, "a function of the module", takes=1)
        if self.assign is not None:
            check_function("assign", self.assign, "a function of (module, value), or None", takes=2)
        if self.assigned is not None:
            check_function("assigned", self.assigned, "a function of the module, or None", takes=1)

    def value(self, module: Any) -> torch.Tensor:
        """What ``compute`` gives.

        Raises:
            ArgumentError: no tensor.
        """
        found = self.compute(module)
        if not isinstance(found, torch.Tensor):
            got = with_article(type(found).__name__)
            raise ArgumentError(f"the rule of {type(module).__name__}, effective", expected="a tensor", got=got)
        return found

    def written(self, module: Any) -> tuple[torch.Tensor, ...]:
        """What ``assign`` changes."""
        return super().written(module) if self.assigned is None else tuple(self.assigned(module))

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """By ``assign``.

        Raises:
            NotImplementedError: there is none.
        """
        if self.assign is None:
            super().write_(module, value)
        else:
            self.assign(module, value)
