"""Regularization: decay and penalty of a binding on whatever optimisers a trainer makes, with state and numbers."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from intertwine._arguments import check_choice, integer
from intertwine._numerics import TOLERANCES
from intertwine.binding import Binding, Form
from intertwine.binding.forms import FORMS
from intertwine.decay import EquivarianceDecay
from intertwine.decay.checks import check_bindings
from intertwine.decay.optimizers import hooked_optimizer
from intertwine.decay.schedules import Schedule, Schedules
from intertwine.errors import ArgumentError, DecayWarning, listing
from intertwine.split.component_optimizer import ComponentOptimizer
from intertwine.training.equivariance_penalty import EquivariancePenalty
from intertwine.training.scalars import scalars
from intertwine.training.shares import shares

Part = EquivarianceDecay | EquivariancePenalty


class Regularization:
    """What acts on a training, said before its optimisers are there; a trainer's callback holds one.

    ``attach`` makes an ``EquivarianceDecay`` and an ``EquivariancePenalty`` for each optimiser, of the typed parameters
    that it holds, which act by its hooks: once an update, whatever is accumulated, scaled, clipped or skipped before.
    With neither, as beside ``SplitAdamW``, it measures alone.

    Args:
        binding: a ``Binding``, or a sequence of them.
        decay: strengths of a decay, as of ``EquivarianceDecay``; None for none.
        penalty: strengths of a penalty, as of ``EquivariancePenalty``; None for none.
        form: of the penalty, as in ``Binding.penalty``.
        every: of both.

    Attributes:
        bindings: all of them.

    Raises:
        ArgumentError: no binding, a bad strength, an unknown form.
        UnknownNameError: a name in a strength that fits no typed parameter.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.training import Regularization
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> regularization = Regularization(iw.bind(layer, {"": (V, V)}), decay=float("inf"))
        >>> optimizer = torch.optim.Adam(layer.parameters())
        >>> regularization.attach(optimizer).parts
        (EquivarianceDecay(C4; 2 parameters, strength inf, 0 steps),)
        >>> layer(torch.ones(4)).sum().backward()
        >>> optimizer.step()
        >>> regularization.steps, regularization.scalars(per_tensor=False)["equivariance/decay_strength"]
        (1, inf)
    """

    def __init__(
        self,
        binding: Binding | Sequence[Binding],
        *,
        decay: Schedule | Sequence[Schedule] | None = None,
        penalty: Schedule | Sequence[Schedule] | None = None,
        form: Form = "squared",
        every: int = 1,
    ) -> None:
        check_choice("form", form, FORMS)
        self.bindings = check_bindings(binding)
        self._form, self._every = form, integer("every", every, 1)
        self._schedules = {
            name: Schedules(self.bindings, s, single=isinstance(binding, Binding), argument=name, infinite=infinite)
            for name, s, infinite in (("decay", decay, True), ("penalty", penalty, False))
            if s is not None
        }
        for schedules in self._schedules.values():
            schedules.at(0)
        # By the name of their strength, with the numbers of the bindings that each acts on.
        self._held: dict[str, list[tuple[tuple[int, ...], Part]]] = {}
        self._split: list[ComponentOptimizer] = []
        # What was loaded before there were optimisers.
        self._loaded: Mapping[str, Any] = {}

    @property
    def parts(self) -> tuple[Part, ...]:
        """The decays and penalties that are attached."""
        return tuple(part for held in self._held.values() for _, part in held)

    @property
    def every(self) -> int:
        """How many steps wait for each other."""
        return self._every

    @property
    def steps(self) -> int:
        """How many steps have been done; of several optimisers the most that one has."""
        counts = [part.steps for part in self.parts] + [optimizer.steps for optimizer in self._split]
        if not self._held:
            counts = [own["steps"] for each in self._loaded.values() for own in each]
        return max(counts, default=0)

    def attach(self, *optimizers: torch.optim.Optimizer) -> "Regularization":
        """Registers its hooks on optimisers, in place of those that it had; what was loaded before is taken up.

        Args:
            optimizers: those that train the typed parameters; wrappers are unwrapped as ``EquivarianceDecay`` does.

        Raises:
            ArgumentError: a typed parameter that none of them holds; otherwise as ``EquivarianceDecay`` and
                ``EquivariancePenalty``. No hook is left behind then.
        """
        self.remove()
        if not optimizers:
            raise ArgumentError("optimizers", expected="at least one", got="none")
        hooked = [hooked_optimizer(optimizer) for optimizer in optimizers]
        self._split = [optimizer for optimizer in hooked if isinstance(optimizer, ComponentOptimizer)]
        self._held = {name: [] for name in self._schedules}
        try:
            for optimizer, share in zip(optimizers, shares(self.bindings, hooked), strict=True):
                for name, schedules in self._schedules.items() if share.bindings else ():
                    strengths = share.strengths(schedules)
                    part: Part = (
                        EquivarianceDecay(optimizer, share.bindings, strengths, every=self._every)
                        if name == "decay"
                        else EquivariancePenalty(
                            optimizer, share.bindings, strengths, form=self._form, every=self._every
                        )
                    )
                    self._held[name].append((share.numbers, part))
            if self._loaded:
                self.load_state_dict(self._loaded)
        except BaseException:
            self.remove()
            raise
        return self

    def remove(self) -> None:
        """Takes the hooks off; the counts stay, for the next ``attach``."""
        if self._held:
            self._loaded = self.state_dict()
        for part in self.parts:
            part.remove()
        self._held, self._split = {}, []

    def finish(self) -> None:
        """At the end of training: takes what waits for ``every``."""
        for part in self.parts:
            if isinstance(part, EquivarianceDecay):
                part.catch_up()

    def warn_unprojected(self) -> None:
        """Behind whatever a trainer does at its end: whether weights at infinite strength are equivariant there.

        Warns:
            DecayWarning: they are not, as after an average that took in weights from before the first step.
        """
        found: list[str] = []
        for number, now in enumerate(self.strengths.get("decay_strength", ())):
            model = self.bindings[number].model
            for name, residual in self.bindings[number].residuals().items():
                dtype = self.bindings[number][name].tensor(model).dtype
                if now[name] == math.inf and residual.relative_residual > 10 * TOLERANCES[dtype]:
                    found.append(name)
        if found:
            warnings.warn(
                f"{listing(found)} of the trained model are not equivariant, though projected in each step: an average "
                "that took in weights from before the first step, or something that wrote to them since. Begin with "
                "binding.initialize_() or project_(), or project the result.",
                DecayWarning,
                stacklevel=2,
            )

    @property
    def strengths(self) -> dict[str, tuple[dict[str, float], ...]]:
        """By what has them, a mapping a binding from the name of each typed tensor to its strength in the next step."""
        found = {f"{name}_strength": schedules.named(self.steps) for name, schedules in self._schedules.items()}
        for name, held in self._held.items():
            for numbers, part in held:
                for number, own in zip(numbers, part.strengths, strict=True):
                    found[f"{name}_strength"][number].update(own)
        for optimizer in self._split:
            if len(optimizer.bindings) == len(self.bindings):
                found["split_strength"] = optimizer.strengths
        return found

    def scalars(self, *, targets: Any = None, per_tensor: bool = True) -> dict[str, float]:
        """Numbers to log: ``intertwine.training.scalars`` of this."""
        return scalars(self, targets=targets, per_tensor=per_tensor)

    def state_dict(self) -> dict[str, Any]:
        """Numbers and lists of them alone, so that it goes into any checkpoint, JSON too."""
        if not self._held:
            return dict(self._loaded)
        return {name: [part.state_dict() for _, part in held] for name, held in self._held.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a state; before ``attach`` it is kept for that.

        Raises:
            ArgumentError: not a state that ``state_dict`` gave with as many optimisers.
        """
        counts = {name: len(held) for name, held in self._held.items()}
        kinds = isinstance(state, Mapping) and all(isinstance(each, Sequence) for each in state.values())
        if not kinds or (state and counts and {name: len(each) for name, each in state.items()} != counts):
            expected = "what state_dict gave with the same strengths and as many optimisers"
            raise ArgumentError("state", expected=expected, got=repr(state)[:80])
        self._loaded = dict(state)
        for name, held in self._held.items() if state else ():
            for (_, part), own in zip(held, state[name], strict=True):
                part.load_state_dict(own)

    def __repr__(self) -> str:
        groups = ", ".join(str(binding.group) for binding in self.bindings)
        what = " and ".join(self._schedules) or "measures alone"
        return f"Regularization({groups}; {what}, {len(self.parts)} attached, {self.steps} steps)"
