"""EquivariancePenalty: the penalty's gradient, added once an update, whatever a trainer does to losses."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from intertwine._arguments import check_choice, integer, is_integer
from intertwine.binding import Binding, Form
from intertwine.binding.forms import FORMS, total
from intertwine.binding.writing import check_stored
from intertwine.decay.checks import check_bindings, check_held, may_act
from intertwine.decay.hooked import Hooked
from intertwine.decay.optimizers import hooked_optimizer
from intertwine.decay.reading import Reading
from intertwine.decay.schedules import Schedule, Schedules
from intertwine.decay.step_watch import StepWatch
from intertwine.decay.targets import targets_of
from intertwine.errors import ArgumentError


class EquivariancePenalty(Hooked):
    """The gradient of ``binding.penalty(strength)``, added to the gradients before each step of an optimiser.

    ``W.grad <- W.grad + s (W - P W)``

    for the squared form. A penalty inside a loss has the strength that a trainer makes of it: divided by the
    micro-batches of an accumulation or not, halved in a last group that is half full, clipped together with the rest.
    This one has the strength that it says, and costs one backward pass of the penalty an update, not a micro-batch.

    * It is added behind clipping, so that it is neither clipped nor part of the norm.
    * Steps that a ``GradScaler`` skips are no steps; where a fused optimiser takes scaled gradients, it is scaled too.
    * Data parallel: added behind the reduction, in each process alike.
    * A step that is given a closure (Lightning's are) gets it after the closure. LBFGS, which compares losses, is
      refused.
    * Losses that a trainer logs are without it: ``scalars`` has residuals and strengths.

    Args:
        optimizer: any ``torch.optim.Optimizer``, or a wrapper around one; the one that has the hooks is
            ``penalty.optimizer``.
        binding: a ``Binding``, or a sequence of them.
        strength: as in ``EquivarianceDecay``, but finite: a number >= 0, a mapping from names of parameters or modules
            to numbers, or a callable from the number of steps done to either; for several bindings a sequence.
        form: as in ``Binding.penalty``.
        every: k > 1 adds k times the gradient before every k-th step.

    Attributes:
        steps: how many steps have been done.

    Raises:
        ArgumentError: typed parameters that the optimiser does not hold (unless frozen, or of constant strength 0),
            here or in a later step; a sparse gradient; LBFGS; a bad strength; what ``Binding.penalty`` refuses.
        UnknownNameError: a name in a strength that fits no typed parameter.

    Source:
        Berndt and Stuehmer, arXiv 2601.05028, as in ``Binding.penalty``.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.training import EquivariancePenalty
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> binding = iw.bind(layer, {"": (V, V)})
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
        >>> penalty = EquivariancePenalty(optimizer, binding, strength=0.5)
        >>> before = binding.residuals()["weight"].residual
        >>> for _ in range(2):  # an accumulation of two
        ...     (0 * layer(torch.ones(4)).sum() / 2).backward()
        >>> optimizer.step()
        >>> round(binding.residuals()["weight"].residual / before, 6)
        0.5
    """

    left: ClassVar[tuple[str, ...]] = (*Hooked.left, "_watch", "_reading")

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        binding: Binding | Sequence[Binding],
        strength: Schedule | Sequence[Schedule],
        *,
        form: Form = "squared",
        every: int = 1,
    ) -> None:
        check_choice("form", form, FORMS)
        self.form, self.every, self.steps = form, integer("every", every, 1), 0
        self.optimizer = hooked_optimizer(optimizer)
        if isinstance(self.optimizer, torch.optim.LBFGS):
            raise ArgumentError(
                "optimizer",
                expected="one that goes by gradients alone",
                got="LBFGS, which compares losses",
                advice="Add binding.penalty() to the loss in its closure.",
            )
        self.bindings = check_bindings(binding)
        self._schedules = Schedules(self.bindings, strength, single=isinstance(binding, Binding), infinite=False)
        for bound in self.bindings:
            check_stored(bound.model, bound.entries, "binding")
        found = ((target, self._schedules.fixed(target)) for target in targets_of(self.bindings))
        self._acting = tuple((target, s) for target, s in found if not target.is_buffer and may_act(s))
        self._register()
        try:
            self._read()
        except ArgumentError:
            self.remove()
            raise

    @property
    def strengths(self) -> tuple[dict[str, float], ...]:
        """The strength of each typed tensor in the next step by its name, a mapping a binding."""
        return self._schedules.named(self.steps)

    def state_dict(self) -> dict[str, Any]:
        """``{"steps": n}``, what a callable strength and ``every`` go by."""
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up the count of steps.

        Raises:
            ArgumentError: not a state that ``state_dict`` gave.
        """
        steps = state.get("steps") if isinstance(state, Mapping) else None
        if not is_integer(steps):
            raise ArgumentError("state", expected="{'steps': an integer >= 0}", got=repr(state)[:80])
        self.steps = steps

    def _register(self) -> None:
        self._watch, self._reading = StepWatch(self.optimizer, self._add), Reading(self.optimizer)
        super()._register()

    def _read(self) -> None:
        if not self._reading.is_current():
            self._reading.take(self._acting)
            advice = "Bind only what it trains, or give a mapping: strength={'a name': 0.1} leaves the others at 0."
            check_held(self.optimizer, self._reading.found, advice)
            self._reading.keep()

    def _before_step(self, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._watch.is_inner:
            return None
        self._read()
        return self._watch.begin((), args, kwargs)

    def _after_step(self, *_: object) -> None:
        if not self._watch.is_inner:
            self.steps += not self._watch.is_skipped
            self._watch.end()

    def _add(self) -> None:
        """Adds the gradient, when those of the loss are there."""
        if (self.steps + 1) % self.every:
            return
        # What two effective weights are computed from counts once: its gradient is that of both.
        trained = list({id(W): W for _, sources, _ in self._reading.found for W in sources}.values())
        with torch.enable_grad():
            value = self._value()
        if not value.requires_grad:
            return
        for W, gradient in zip(trained, torch.autograd.grad(value, trained, allow_unused=True), strict=True):
            if gradient is not None:
                self._add_to(W, gradient)

    def _value(self) -> torch.Tensor:
        now = ((s(self.steps) if callable(s) else s) for s in self._schedules.given)
        terms = [bound.penalty(s, form=self.form) for bound, s in zip(self.bindings, now, strict=True)]
        return self.every * total(terms)

    def _add_to(self, W: torch.Tensor, gradient: torch.Tensor) -> None:
        # A fused optimiser divides by the scale itself, and a scaler tells it so for this step.
        scale = getattr(self.optimizer, "grad_scale", None)
        if isinstance(scale, torch.Tensor):
            gradient = gradient * scale.to(gradient.device)
        if W.grad is None:
            W.grad = gradient.detach()
        elif W.grad.layout != torch.strided:
            raise ArgumentError(
                "binding",
                expected="parameters with dense gradients",
                got=f"a {W.grad.layout} one of shape {tuple(W.grad.shape)}",
                advice="Use sparse=False, or EquivarianceDecay.",
            )
        else:
            # Of a gradient whose entries share memory a copy is added to.
            shared = 0 in W.grad.stride()
            W.grad = W.grad + gradient if shared else W.grad.add_(gradient)

    def __repr__(self) -> str:
        groups = ", ".join(str(binding.group) for binding in self.bindings)
        return f"EquivariancePenalty({groups}; {len(self._acting)} parameters, {self.form}, {self.steps} steps)"
