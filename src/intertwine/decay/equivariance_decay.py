"""EquivarianceDecay: the exact proximal step of the penalty after each step of an optimiser."""

import math
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from intertwine._arguments import integer, is_integer
from intertwine.binding import Binding
from intertwine.binding.writing import check_stored
from intertwine.decay.checks import (
    check_bindings,
    check_computed,
    check_dtype,
    check_held,
    may_act,
    unprojected_buffers,
)
from intertwine.decay.decay_step import Averaging, DecayStep, project_gradients
from intertwine.decay.due import Due, by_key
from intertwine.decay.hooked import Hooked
from intertwine.decay.optimizers import hooked_optimizer, keeps_averages, passed_through
from intertwine.decay.reading import Found, Reading
from intertwine.decay.residual_target import Target as ResidualTarget
from intertwine.decay.schedules import Schedule, Schedules
from intertwine.decay.step_watch import StepWatch
from intertwine.decay.targets import Target, targets_of
from intertwine.errors import ArgumentError, DecayWarning, listing
from intertwine.projectors.norms.proximal import Rate


class EquivarianceDecay(Hooked):
    """Decoupled decay of the non-equivariant part, after each step of the optimiser.

    ``W <- P W + (W - P W) / (1 + lr s)``

    is the exact proximal step of ``s/2 |W-PW|^2``: what ``AdamW`` is to an L2 loss term. It is stable for every
    strength, leaves the loss alone, and reads ``lr`` from the parameter's own param group at every step, so that
    schedules of the learning rate carry over. ``s = inf`` is projected training: ``W <- P W`` at any learning rate.
    Where P has a norm of its own (spectral and spherical layers, filters) the step is the proximal step of the penalty
    in that norm, ``argmin |X - W|^2 / 2 + lr s / 2 |X - P X|_D^2``, and ``inf`` the nearest equivariant weights.

    Several bindings, one for each group: where the projectors of a parameter commute (as along a chain of subgroups),
    the proximal step of ``sum_i s_i/2 |W-P_i W|^2`` is closed: W splits in joint components, and each is divided by
    1 + lr times the sum of the strengths that penalise it. Projectors that do not commute, or of which one has a norm
    of its own, are applied in turn, and ``exact`` is False with the ``reason``. This is decided at construction, on a
    random tensor.

    What it acts on:

    * Every typed parameter that the optimiser updated in the step: it has a gradient after the step, had one before it
      or after the closure, or was written to. So optimisers that clear gradients inside ``step`` are decayed too.
      Frozen parameters need not be in the optimiser. A step that updated none of them gives a ``DecayWarning``, once.
    * What a schedule-free optimiser averages, and its average, so that the weights that it trains and those that it
      evaluates are both right; SPlus's average and lookahead's slow weights likewise.
    * Typed buffers (running statistics of norm layers) at infinite strength: ``B <- P B`` after each step, so that
      eval mode is exact until the next forward pass in train mode. At finite strength they are left alone, and a
      ``DecayWarning`` says so where parameters have infinite strength and they have not: ``strength={"0": inf}``.
    * Parametrised tensors (weight norm) through the right inverse, if that gives back what it was given; the weight of
      an adapted layer through its base, if that is trained.

    At infinite strength gradients are projected before the step, too (``W.grad <- P W.grad``, visible afterwards), so
    that moments hold nothing else: with AdamW that is AdamW inside the subspace, whereas second moments of whole
    gradients shorten its steps, and make rounding into steps of full size. Parametrised tensors are projected after it
    alone.

    It acts once a step, also where a step runs its hooks twice. Of wrappers it takes the optimiser inside where that
    is the one to follow. Copied or unpickled *together* with its model and optimiser it goes on with the copies.

    What to know:

    * Penalty and decay have the same stationary points under plain SGD only. Momentum mu makes the decay act like a
      penalty of strength ``s (1 - mu)``; under Adam they differ altogether. Tune the two apart.
    * A step that a ``GradScaler`` skips is no step: it does not run the optimiser, or tells a fused one to skip. On an
      accelerator, where that is not waited for, ``steps`` counts such a fused step, and infinite strength projects the
      weights in it; a finite one leaves them.
    * In float32 a step of ``lr s`` below about 1e-6 is lost in the rounding of single weights, as any weight decay is.
    * Warm-up and distance estimates inside an optimiser (schedule-free, Prodigy) are not in the ``lr`` that it reads.

    Args:
        optimizer: any ``torch.optim.Optimizer``, or a wrapper around one; the hooks are registered at once. The one
            that has them is ``decay.optimizer``.
        binding: a ``Binding``, or a sequence of them.
        strength: a number >= 0 or ``inf``; a mapping from names of parameters or modules to numbers, as in
            ``Binding.penalty``; a callable from the number of steps done so far (0 at the first) to either; or an
            ``intertwine.Target``. For several bindings, a sequence with one of the first three for each.
        every: k > 1 takes one proximal step of the summed strength, ``W - P W`` divided by ``1 + sum lr s`` of k steps,
            at every k-th, which costs a k-th; ``catch_up`` takes what waits. Weights come to rest where they do at 1.
            At infinite strength gradients are projected at each step all the same, weights at every k-th.

    Attributes:
        exact: whether every parameter's step is the proximal step of the summed penalty.
        reason: why not, if not.
        steps: how many steps have been done; the argument of the next call of a callable strength.
        target: the ``Target`` that was given in place of a strength, or None.

    Raises:
        ArgumentError: typed parameters that the optimiser does not hold (unless frozen, or of constant strength 0),
            here or in a later step; those that hooks compute, that are sharded, or whose parametrisation or frozen
            base cannot make their projection; a bad strength; a param group without a learning rate; at finite
            strength, averages whose rule is not known, or any with ``every`` > 1.
        DtypeError: float16 or bfloat16 parameters at finite strength, in which a factor near 1 rounds to 1.
        UnknownNameError: a name in a strength that fits no typed parameter.

    Warns:
        DecayWarning: every typed parameter is frozen, or some are in a step; a step updated none of them; running
            statistics are left as they are beside parameters that are projected; the optimiser
            evaluates other weights, which are not known.

    Source:
        The penalty: Berndt and Stuehmer, arXiv 2601.05028. Decoupling: Loshchilov and Hutter 2019, arXiv 1711.05101.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> layer = torch.nn.Linear(4, 4, bias=False)
        >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
        >>> decay = iw.EquivarianceDecay(optimizer, binding, strength=2.0)
        >>> before = layer.weight.detach().clone()
        >>> layer.weight.grad = torch.zeros(4, 4)
        >>> optimizer.step()
        >>> P = binding["weight"].projector
        >>> torch.allclose(P.residual(layer.weight), P.residual(before) / 2, atol=1e-6)
        True
    """

    left: ClassVar[tuple[str, ...]] = (*Hooked.left, "_watch", "_reading", "_current", "_strengths")

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        binding: Binding | Sequence[Binding],
        strength: Schedule | Sequence[Schedule] | ResidualTarget,
        *,
        every: int = 1,
    ) -> None:
        self._due = Due(integer("every", every, 1))
        optimizer = passed_through(optimizer)
        self.optimizer = hooked_optimizer(optimizer)
        self._averaging = Averaging(
            self.optimizer,
            switches=keeps_averages(self.optimizer),
            inside=keeps_averages(optimizer) and optimizer is not self.optimizer,
        )
        self.bindings = check_bindings(binding)
        self.target = strength if isinstance(strength, ResidualTarget) else None
        if self.target is not None:
            strength = self.target.checked(self.bindings, every)
        self._schedules = Schedules(self.bindings, strength, single=isinstance(binding, Binding))
        self.steps = 0
        for bound in self.bindings:
            check_stored(bound.model, bound.entries, "binding")
        self._targets = targets_of(self.bindings)
        self._fixed = tuple(map(self._schedules.fixed, self._targets))
        self._targets = tuple(map(Target.with_constants, self._targets, self._fixed))
        found = zip(self._targets, self._fixed, strict=True)
        self._acting = tuple((target, s) for target, s in found if not target.is_buffer and may_act(s))
        check_held(
            self.optimizer,
            self._read(),
            "Bind only what it trains, or give a mapping: strength={'a name': 0.1} leaves the others at 0."
            if optimizer is self.optimizer
            else f"A {type(optimizer).__name__} trains copies of them: call binding.project_() after its step.",
        )
        self.reason = "; ".join(target.reason for target in self._targets if target.reason)
        self.exact = not self.reason
        for target, _, strengths in self._read():
            check_dtype(target, strengths)
            if target.is_computed:
                check_computed(target, self._averaging)
        self._said: set[str] = set()
        if self._read() and not any(trained for _, trained, _ in self._read()):
            self._say("every typed parameter is frozen, so that there is nothing to decay", stacklevel=3)
        self._say_unprojected(zip(self._targets, self._fixed, strict=True), stacklevel=4)
        self._register()

    @property
    def strengths(self) -> tuple[dict[str, float], ...]:
        """The strength of each typed tensor in the next step by name, one mapping a binding; a target's multipliers."""
        return self._schedules.named(self.steps) if self.target is None else (self.target.strengths(),)

    def state_dict(self) -> dict[str, Any]:
        """``{"steps": n}``, what a callable strength goes by; for ``every`` > 1 with ``"due"``, the steps that wait."""
        return {"steps": self.steps, **({"due": self._due.state()} if self._due.every > 1 else {})}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up the count of steps, and those that wait.

        Raises:
            ArgumentError: not a state that ``state_dict`` gave.
        """
        steps = state.get("steps") if isinstance(state, Mapping) else None
        if not is_integer(steps):
            raise ArgumentError("state", expected="{'steps': an integer >= 0}", got=repr(state)[:80])
        self._due.load(state.get("due", []), by_key(self._targets))
        self.steps = steps

    def _register(self) -> None:
        self._watch, self._reading = StepWatch(self.optimizer, self._project_gradients), Reading(self.optimizer)
        self._current: Found = []
        self._strengths: list[tuple[float, ...]] = []
        super()._register()

    # -- the step ---------------------------------------------------------------------------------

    @torch.no_grad()
    def catch_up(self) -> None:
        """Takes the steps that wait for ``every``, as at the end of training; nothing at ``every=1``."""
        self._reading.take(self._acting)
        self._begin(self._reading.found)
        self._take_due(self._reading.group_of(), ())
        self._current = []

    def _read(self) -> Found:
        """What may decay, with the parameters that the optimiser trains, read from the model now."""
        return [(target, target.trained(), s) for target, s in self._acting]

    def _before_step(self, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        reading = self._reading
        if not reading.is_current():
            reading.take(self._acting)
            advice = "A tensor that took the place of another, as by load_state_dict(assign=True), is not trained."
            check_held(self.optimizer, reading.found, advice)
            frozen = [target.name for target, trained, _ in reading.found if not trained]
            if frozen and len(frozen) < len(reading.found):
                self._say(f"frozen, and left as they are: {listing(frozen)}")
            reading.keep()
        if not self._watch.is_inner:
            self._begin(reading.found)
        self._averaging.begin()
        return self._watch.begin([W for _, trained, _ in reading.found for W in trained], args, kwargs)

    def _begin(self, found: Found) -> None:
        self._current = found
        self._strengths = self._schedules.at(self.steps)

    def _project_gradients(self) -> None:
        found = [(target, trained, target.pairs(self._strengths)) for target, trained, _ in self._current]
        project_gradients(found, self.bindings[0].joint_maps)

    @torch.no_grad()
    def _after_step(self, *_: object) -> None:
        if self._watch.is_inner:
            return
        step, skipped = DecayStep(self._averaging), self._watch.is_skipped
        groups, updated = self._reading.group_of(), self._watch.updated()
        if self.target is not None and not skipped:
            self._solve(self.target, groups, updated)
        acted = self._gather(step, groups, updated)
        if not skipped:
            self.steps += 1
            if acted is False:
                self._say(
                    "the optimiser took a step that updated no typed parameter, so that there was nothing to decay"
                )
        is_reaching = True
        if self._due.every == 1:
            is_reaching = self._take(step, with_buffers=True)
        elif self.steps % self._due.every == 0:
            is_reaching = self._take_due(groups, updated)
        if not self._schedules.is_constant:
            self._say_unprojected((target, [s for _, s in target.pairs(self._strengths)]) for target in self._targets)
        if not is_reaching:
            self._say(
                f"{type(self.optimizer).__name__} puts other weights into the model for evaluation, which the decay "
                "does not know; see whether they are equivariant after its eval()"
            )
        self._watch.end()
        self._current = []

    def _solve(self, target: ResidualTarget, groups: Mapping[int, dict[str, Any]], updated: Collection[int]) -> None:
        """The strengths that take what was updated to its residuals."""
        found = [(one, W) for one, trained, _ in self._current for W in trained[:1] if id(W) in updated]
        rates = {one.terms[0].position: groups[id(W)]["lr"] for one, W in found if id(W) in groups}
        weights = [(one.terms[0].position, one.tensor()) for one, _ in found if one.terms[0].position in rates]
        self._strengths = [target.solved(weights, lambda position: float(rates[position]))]

    def _gather(self, step: DecayStep, groups: Mapping[int, dict[str, Any]], updated: Collection[int]) -> bool | None:
        """Puts what this step decays into ``step``, or to what waits; whether there is any, None if none may decay."""
        skipped, strengths, rates, acted = self._watch.is_skipped, self._strengths, self._rates(), None
        for target, trained, fixed in self._current:
            pairs = target.pairs(strengths) if target.constant is None else target.constant
            if not pairs or not trained:
                continue
            acted = bool(acted)
            for W in () if skipped else trained:
                if id(W) in updated and id(W) in groups:
                    if None in fixed:
                        check_dtype(target, [s for _, s in pairs])
                    group = groups[id(W)]
                    if self._due.every > 1:
                        self._due.add(target, pairs, rates[id(group)])
                    else:
                        computed = not self._reading.is_stored and target.is_computed
                        step.add(target, pairs, W, group, rates[id(group)], computed=computed)
                    acted = True
                    break
        return acted

    def _take_due(self, groups: Mapping[int, Mapping[str, Any]], updated: Collection[int]) -> bool:
        """Takes all steps that wait; whether what is evaluated is among what they reach."""
        step = DecayStep(self._averaging, together=True)
        for target, trained, _ in self._current:
            waits = self._due.take(target)
            if waits is not None:
                held = [W for W in trained if id(W) in groups]
                W = next((W for W in held if id(W) in updated), held[0])
                computed = not self._reading.is_stored and target.is_computed
                step.add(target, waits[0], W, groups[id(W)], waits[1], computed=computed)
        return self._take(step, with_buffers=True)

    def _take(self, step: DecayStep, *, with_buffers: bool) -> bool:
        for target in self._targets if with_buffers else ():
            if target.is_buffer:
                step.add_buffer(target, [(P, s) for P, s in target.pairs(self._strengths) if s == math.inf])
        step.take(self.bindings[0].joint_maps)
        return step.is_reaching

    def _rates(self) -> dict[int, Rate | None]:
        """The learning rate of each param group, by the group's id: 0 in a step that was skipped."""
        return {id(group): self._watch.unless_skipped(group.get("lr")) for group in self.optimizer.param_groups}

    def _say_unprojected(self, found: Iterable[tuple[Target, Sequence[float | None]]], stacklevel: int = 3) -> None:
        names = unprojected_buffers(found)
        if names:
            self._say(
                f"{listing(names)} stay as they are, so that eval mode is not exact: running statistics are projected "
                "at strength inf of their own",
                stacklevel=stacklevel,
            )

    def _say(self, what: str, stacklevel: int = 2) -> None:
        """Warns, once."""
        if what not in self._said:
            self._said.add(what)
            warnings.warn(f"EquivarianceDecay: {what}.", DecayWarning, stacklevel=stacklevel)

    def __repr__(self) -> str:
        groups = ", ".join(str(binding.group) for binding in self.bindings)
        given = self._schedules.given if self.target is None else (str(self.target),)
        strengths = ", ".join("callable" if callable(s) else str(s) for s in given)
        exact = "" if self.exact else f", exact=False ({self.reason})"
        what = f"{len(self._targets)} parameters, strength {strengths}, {self.steps} steps"
        return f"EquivarianceDecay({groups}; {what}{exact})"
