"""What optimisers share that train the components of typed weights: bindings, strengths, and the step around theirs."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import torch

from intertwine._numerics import in_own_precision
from intertwine.binding import Binding
from intertwine.binding.writing import check_stored
from intertwine.decay.checks import check_bindings, check_held
from intertwine.decay.schedules import Schedule, Schedules
from intertwine.decay.targets import targets_of
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Shrinkage, shrink_
from intertwine.split.checks import check_targets, warn_unprojected
from intertwine.split.components import split_of

# In each param group, so that it is in the state dict: the number of steps that a callable strength goes by. A tensor:
# of numbers, a compiler makes a program each.
STEPS = "steps_taken"


class ComponentOptimizer(torch.optim.Optimizer):
    """An optimiser over parameters some of which bindings type.

    Args:
        params: parameters or param groups.
        defaults: options of the param groups.
        binding: a ``Binding``, or a sequence of them.
        strength: as of ``EquivarianceDecay``.
    """

    # What a copy keeps beside torch's own.
    kept: ClassVar[tuple[str, ...]] = ("bindings", "_schedules", "_targets", "_fixed", "_splits")

    def __init__(
        self,
        params: Iterable[Any],
        defaults: dict[str, Any],
        binding: Binding | Sequence[Binding],
        strength: Schedule | Sequence[Schedule],
    ) -> None:
        self.bindings = check_bindings(binding)
        self._schedules = Schedules(self.bindings, strength, single=isinstance(binding, Binding))
        for bound in self.bindings:
            check_stored(bound.model, bound.entries, "binding")
        self._targets = targets_of(self.bindings)
        check_targets(self._targets)
        self._fixed = tuple(map(self._schedules.fixed, self._targets))
        found = zip(self._targets, self._fixed, strict=True)
        self._splits = {i: split_of(target, s) for i, (target, s) in enumerate(found) if not target.is_buffer}
        self._known: tuple[int, ...] = ()
        self._maps = JointMaps()
        super().__init__(params, {**defaults, STEPS: 0})

    def _begin(self) -> None:
        """The last line of a constructor: what is checked once the param groups have all of their options."""
        self._typed()
        warn_unprojected(self._targets, self._fixed)

    @property
    def strengths(self) -> tuple[dict[str, float], ...]:
        """The strength of each typed tensor in the next step by its name, a mapping a binding."""
        return self._schedules.named(self.steps)

    @property
    def steps(self) -> int:
        """How many steps have been done."""
        return int(self.param_groups[0][STEPS])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As of torch's optimisers."""
        super().add_param_group(param_group)
        self._count_apart()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As of torch's optimisers."""
        super().load_state_dict(state_dict)
        self._count_apart()

    def _count_apart(self) -> None:
        for group in self.param_groups:
            group[STEPS] = torch.as_tensor(group[STEPS], dtype=torch.int64, device="cpu").clone()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns what ``closure`` does, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._step()
        return loss

    @in_own_precision
    def _step(self) -> None:
        strengths = self._schedules.at(0 if self._schedules.is_constant else self.steps)
        self._take(strengths, self._typed())
        for group in self.param_groups:
            group[STEPS].add_(1)
        for target in self._targets:
            infinite = [(P, s) for P, s in target.pairs(strengths) if s == math.inf] if target.is_buffer else []
            if infinite:
                shrink_([Shrinkage(target.tensor(), infinite, None)], self._maps)

    @abstractmethod
    def _take(self, strengths: Sequence[tuple[float, ...]], typed: dict[int, int]) -> None:
        """The step of all parameters; ``strengths`` of each binding's entries, ``typed`` as ``_typed`` gives it."""

    def _strengths_of(self, number: int, strengths: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
        """Of each projector on a target."""
        return tuple(strengths[term.binding][term.position] for term in self._targets[number].terms)

    def _typed(self) -> dict[int, int]:
        """The number of the target that each typed parameter is, by the parameter's id, read from the model now."""
        numbers = {id(self._targets[i].tensor()): i for i in self._splits}
        if tuple(numbers) != self._known:
            trained = [(self._targets[i], self._targets[i].trained(), self._fixed[i]) for i in self._splits]
            advice = "Give all typed parameters; a tensor that took the place of another is not trained."
            check_held(self, trained, advice)
            self._known = tuple(numbers)
        return numbers

    def __getstate__(self) -> dict[str, Any]:
        # torch copies and pickles an optimiser's state alone.
        return {**super().__getstate__(), **{name: vars(self)[name] for name in self.kept}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._known, self._maps = (), JointMaps()
