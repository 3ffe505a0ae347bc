"""SplitOptimizer: any entrywise optimiser, with each component of a weight as a parameter of its own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

from intertwine._arguments import check_function
from intertwine.binding import Binding
from intertwine.decay.decay_step import Averaging
from intertwine.decay.optimizers import keeps_averages
from intertwine.decay.schedules import Schedule
from intertwine.errors import ArgumentError, listing
from intertwine.split.checks import check_dense_gradient, check_weight, made
from intertwine.split.component_optimizer import STEPS, ComponentOptimizer
from intertwine.split.components import factor
from intertwine.split.parts import Parts, draw, join, put_in_place

# What param groups of the optimiser inside do not share with those of the weights.
OWN = ("params", "param_names", STEPS)


class SplitOptimizer(ComponentOptimizer):
    """Any entrywise optimiser (Lion, Adafactor, NAdam, schedule-free, Prodigy), which sees components, not weights.

    Each typed weight ``W = P W + (W - P W)`` is two parameters of the optimiser inside: ``P W`` with the gradient
    ``P g``, and ``W - P W`` with the gradient ``g - P g``. After its step both are projected onto where they belong,

    ``W <- P W_e + (W_r - P W_r) / (1 + lr s)``

    so that no state mixes what P separates. At ``strength=inf`` there is the first alone: the optimiser trains inside
    the subspace. With AdamW inside it takes the steps of ``SplitAdamW``, in more memory: the components, and a state of
    each. Parameters without type are given on as they are. An optimiser that sees a weight as a matrix and commutes
    with orthogonal changes of basis (Muon, Shampoo) needs no split.

    Several bindings need projectors that commute; each joint component is a parameter then. What the optimiser averages
    (schedule-free) is projected too; ``train`` and ``eval`` are passed on. Schedulers and scalers are given this one:
    its param groups are those of the weights, and the optimiser inside follows them at each step. Typed buffers
    (running statistics) are projected at infinite strength.

    Args:
        make: param groups -> an optimiser, as ``lambda groups: torch.optim.NAdam(groups, lr=1e-3)``.
        params: parameters or param groups, as the optimiser takes them.
        binding: a ``Binding``, or a sequence of them, one for each group.
        strength: as in ``EquivarianceDecay``: a number >= 0 or ``inf``, a mapping from names, or a callable from the
            number of steps done; for several bindings a sequence.

    Attributes:
        inside: the optimiser.

    Raises:
        ArgumentError: typed parameters that it does not hold, that a parametrisation or a hook computes, whose
            projectors do not commute or have a norm of their own; ``make`` gives no optimiser over these groups; at
            finite strength, averages whose rule is not known; sparse gradients.
        DtypeError: typed parameters in half precision, in which small steps are lost.
        UnknownNameError: a name in a strength that fits no typed parameter.

    Source:
        Ours, as ``SplitAdamW``. The penalty: Berndt and Stuehmer, arXiv 2601.05028.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> binding = iw.bind(layer, {"": (V, V)})
        >>> optimizer = iw.SplitOptimizer(
        ...     lambda groups: torch.optim.NAdam(groups, lr=0.1), layer.parameters(), binding, strength=float("inf")
        ... )
        >>> layer(torch.randn(8, 4)).square().sum().backward()
        >>> optimizer.step()
        >>> binding.residuals()["weight"].relative_residual < 1e-6
        True
    """

    kept = (*ComponentOptimizer.kept, "inside", "_parts")

    def __init__(
        self,
        make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer],
        params: Iterable[Any],
        binding: Binding | Sequence[Binding],
        *,
        strength: Schedule | Sequence[Schedule],
    ) -> None:
        expected = "a function of param groups that gives an optimiser"
        check_function("make", make, expected, takes=1)
        if isinstance(make, torch.nn.Module):
            raise ArgumentError("make", expected=expected, got=f"a module, {type(make).__name__}")
        super().__init__(params, {}, binding, strength)
        self._parts: dict[int, Parts] = {}
        for i, split in self._splits.items():
            W = self._targets[i].tensor()
            check_weight(self._targets[i].name, W, has_own_norm=split.has_own_norm)
            self._parts[i] = Parts.of(W, split)
        self.inside = made(make, [self._inner_group(group) for group in self.param_groups])
        self._take_options()
        self._begin()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As of torch's optimisers; the optimiser inside gets its components."""
        super().add_param_group(param_group)
        inside = vars(self).get("inside")
        if inside is not None:
            inside.add_param_group(self._inner_group(self.param_groups[-1]))
            self._take_options()

    def _take(self, strengths: Sequence[tuple[float, ...]], typed: dict[int, int]) -> None:
        pairs, factors, groups = [], [], []
        for group, inner in zip(self.param_groups, self.inside.param_groups, strict=True):
            inner.update({name: value for name, value in group.items() if name not in OWN})
            for W in group["params"]:
                number = typed.get(id(W))
                if number is None or W.grad is None:
                    continue
                target = self._targets[number]
                check_dense_gradient(target.name, W)
                now = self._strengths_of(number, strengths)
                pairs.append((W, self._parts[number]))
                groups.append(inner)
                factors.append({name: factor(now, name, group.get("lr")) for name in self._parts[number].leaves})
        draw(pairs, self._maps, gradients=True)
        averaging = self._averaging()
        averaging.begin()
        self.inside.step()
        put_in_place(pairs, factors, groups, averaging, self._maps)
        join(pairs)
        for _, parts in pairs:
            for leaf in parts.leaves.values():
                leaf.grad = None
        self._take_options()

    def train(self) -> None:
        """Of optimisers that average weights: the weights that are trained. Nothing of others."""
        self._switch("train")

    def eval(self) -> None:
        """Of optimisers that average weights: the weights to evaluate. Nothing of others."""
        self._switch("eval")

    @torch.no_grad()
    def _switch(self, mode: str) -> None:
        if not keeps_averages(self.inside):
            return
        typed = self._typed()
        held = [W for group in self.param_groups for W in group["params"] if id(W) in typed]
        pairs = [(W, self._parts[typed[id(W)]]) for W in held]
        draw(pairs, self._maps, gradients=False)
        getattr(self.inside, mode)()
        join(pairs)
        self._take_options()

    def state_dict(self) -> dict[str, Any]:
        """As of torch's optimisers, with the state of the optimiser ``inside`` under this name."""
        return {**super().state_dict(), "inside": self.inside.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As of torch's optimisers.

        Raises:
            ArgumentError: a state of another optimiser.
        """
        if not isinstance(state_dict, Mapping) or "inside" not in state_dict:
            got = listing(list(map(str, state_dict))) if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise ArgumentError("state_dict", expected="that of a SplitOptimizer, with 'inside'", got=got)
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "inside"})
        self.inside.load_state_dict(state_dict["inside"])
        self._take_options()

    def _averaging(self) -> Averaging:
        return Averaging(self.inside, switches=keeps_averages(self.inside), inside=False)

    def _inner_group(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """The param group with each typed weight's components in its place."""
        typed = {id(self._targets[i].tensor()): parts for i, parts in self._parts.items()}
        params: list[torch.Tensor] = []
        for W in group["params"]:
            params += typed[id(W)].leaves.values() if id(W) in typed else [W]
        return {**{name: value for name, value in group.items() if name not in OWN}, "params": params}

    def _take_options(self) -> None:
        """What the optimiser inside has in its param groups: defaults, and what it counts there."""
        for group, inner in zip(self.param_groups, self.inside.param_groups, strict=True):
            group.update({name: value for name, value in inner.items() if name not in OWN})
