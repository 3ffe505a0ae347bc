"""EquivarianceDecay: the exact proximal step of the penalty after each step of an optimiser."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine.binding import Binding, Entry
from intertwine.binding.strengths import Strength, entry_strengths
from intertwine.errors import ArgumentError, DtypeError, listing
from intertwine.projectors.joint import JointMaps
from intertwine.projectors.proximal import Shrinkage, shrink_

Schedule = Strength | Callable[[int], Strength]
HALF = (torch.float16, torch.bfloat16)
# Relative to the norm of a random float64 tensor: projectors that commute do so to rounding.
COMMUTATION_TOLERANCE = 1e-10


@dataclass(frozen=True)
class _Term:
    """One projector on a parameter: entry number ``position`` of binding number ``binding``."""

    binding: int
    position: int
    entry: Entry


class EquivarianceDecay:
    """Decoupled decay of the non-equivariant part, after each step of the optimiser.

    ``W <- P W + (W - P W) / (1 + lr s)``

    is the exact proximal step of ``s/2 |W-PW|^2``: what ``AdamW`` is to an L2 loss term. It is stable for every
    strength, leaves the loss alone, and reads ``lr`` from the parameter's own param group at every step, so that
    schedules of the learning rate carry over. ``s = inf`` is projected training: ``W <- P W`` at any learning rate.

    Several bindings, one for each group: where the projectors of a parameter commute (as along a chain of subgroups),
    the proximal step of ``sum_i s_i/2 |W-P_i W|^2`` is closed: W splits in joint components, and each is divided by
    1 + lr times the sum of the strengths that penalise it. Projectors that do not commute are applied in turn, and
    ``exact`` is False with the ``reason``. This is decided at construction, on a random tensor.

    What it does not do:

    * Parameters without a gradient (``grad is None``) in this step, and buffers, are left alone; frozen parameters
      need not be in the optimiser.
    * Penalty and decay have the same stationary points under plain SGD only. Momentum mu makes the decay act like a
      penalty of strength ``s (1 - mu)``; under Adam they differ altogether. Tune the two apart.
    * A step that a ``GradScaler`` skips does not run the optimiser, hence no decay, but for fused optimisers, which
      run and skip inside: their weights decay in skipped steps too.
    * In float32 a step of ``lr s`` below about 1e-6 is lost in the rounding of single weights, as any weight decay is.
    * An optimiser that averages or swaps weights behind the parameters (schedule-free, lookahead) is not known about.

    Args:
        optimizer: any ``torch.optim.Optimizer``; the hook is registered at once.
        binding: a ``Binding``, or a sequence of them.
        strength: a number >= 0 or ``inf``; a mapping from names of parameters or modules to numbers, as in
            ``Binding.penalty``; or a callable from the number of steps done so far (0 at the first) to either. For
            several bindings, a sequence with one of these for each.

    Attributes:
        exact: whether every parameter's step is the proximal step of the summed penalty.
        reason: why not, if not.
        steps: how many steps have been done; the argument of the next call of a callable strength.

    Raises:
        ArgumentError: typed parameters that the optimiser does not hold (unless frozen, or of constant strength 0) or
            that a parametrisation computes; a bad strength; a param group without a learning rate.
        DtypeError: float16 or bfloat16 parameters at finite strength, in which a factor near 1 rounds to 1.
        UnknownNameError: a name in a strength that fits no typed parameter.

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

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        binding: Binding | Sequence[Binding],
        strength: Schedule | Sequence[Schedule],
    ) -> None:
        if not hasattr(optimizer, "register_step_post_hook") or not hasattr(optimizer, "param_groups"):
            raise ArgumentError(
                "optimizer",
                expected="a torch.optim.Optimizer",
                got=type(optimizer).__name__,
                advice="Of a wrapper give the optimiser inside.",
            )
        self.optimizer = optimizer
        self.bindings = _bindings(binding)
        self.strengths = _schedules(strength, len(self.bindings), single=isinstance(binding, Binding))
        self.steps = 0
        self._terms, self._maps = _terms(self.bindings), JointMaps()
        constant = [None if callable(s) else self._resolved(i, s) for i, s in enumerate(self.strengths)]
        self._constant = tuple(constant)
        self._check_writable()
        self._groups(required=True)
        reasons = {number: reason for number, terms in enumerate(self._terms) if (reason := self._non_commuting(terms))}
        self._in_turn = frozenset(reasons)
        self.exact = not reasons
        self.reason = "; ".join(reasons.values())
        for terms in self._terms:
            self._check_dtype(terms, [0.0 if (c := constant[t.binding]) is None else c[t.position] for t in terms])
        self._handle = optimizer.register_step_post_hook(self._after_step)

    def remove(self) -> None:
        """Takes the hook off the optimiser; the weights stay as they are."""
        self._handle.remove()

    def state_dict(self) -> dict[str, Any]:
        """``{"steps": n}``: what a callable strength goes by."""
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up the count of steps.

        Raises:
            ArgumentError: not a state that ``state_dict`` gave.
        """
        steps = state.get("steps") if isinstance(state, Mapping) else None
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
            raise ArgumentError("state", expected="{'steps': an integer >= 0}", got=repr(state)[:80])
        self.steps = steps

    # -- the step ---------------------------------------------------------------------------------

    @torch.no_grad()
    def _after_step(self, *_: object) -> None:
        strengths = [self._strengths(number) for number in range(len(self.bindings))]
        groups = self._groups(required=False)
        found = []
        for number, terms in enumerate(self._terms):
            W = self._parameter(terms)
            if W.grad is None or id(W) not in groups:
                continue
            pairs = [(term.entry.projector, s) for term in terms if (s := strengths[term.binding][term.position])]
            if pairs:
                if W.dtype in HALF:
                    self._check_dtype(terms, [s for _, s in pairs])
                found.append(Shrinkage(W, pairs, groups[id(W)].get("lr"), in_turn=number in self._in_turn))
        shrink_(found, self._maps)
        self.steps += 1

    def _parameter(self, terms: Sequence[_Term]) -> torch.Tensor:
        return terms[0].entry.tensor(self.bindings[terms[0].binding].model)

    def _strengths(self, number: int) -> tuple[float, ...]:
        """This step's strengths of the entries of one binding."""
        constant, strength = self._constant[number], self.strengths[number]
        if constant is not None:
            return constant
        return self._resolved(number, strength(self.steps) if callable(strength) else strength)

    def _resolved(self, number: int, strength: object) -> tuple[float, ...]:
        argument = "strength" if len(self.bindings) == 1 else f"strength[{number}]"
        return entry_strengths(strength, self.bindings[number].entries, argument, infinite=True)

    def _groups(self, *, required: bool) -> dict[int, dict[str, Any]]:
        """The param group of each parameter; checks on request that the typed ones have one, and it a learning rate."""
        groups = {id(p): group for group in self.optimizer.param_groups for p in group["params"]}
        if not required:
            return groups
        missing = []
        for terms in self._terms:
            W = self._parameter(terms)
            constant = [1.0 if (c := self._constant[t.binding]) is None else c[t.position] for t in terms]
            if not W.requires_grad or not any(constant):
                continue
            if id(W) not in groups:
                missing.append(terms[0].entry.name)
            elif "lr" not in groups[id(W)] and not all(s == math.inf for s in constant):
                raise ArgumentError(
                    "optimizer",
                    expected="a learning rate 'lr' in each param group",
                    got=f"none for {terms[0].entry.name}",
                    advice="Only strength=inf needs none.",
                )
        if missing:
            raise ArgumentError(
                "optimizer",
                expected="every typed parameter among its parameters",
                got=f"none of {listing(missing)}",
                advice="Bind only what it trains, or give a mapping: strength={'a name': 0.1} leaves the others at 0.",
            )
        return groups

    # -- checks -----------------------------------------------------------------------------------

    def _check_writable(self) -> None:
        computed = [e.name for binding in self.bindings for e in binding.entries if e.is_parametrized(binding.model)]
        if computed:
            raise ArgumentError(
                "binding",
                expected="typed tensors that the optimiser updates",
                got=f"{listing(computed)}, computed by a parametrisation",
                advice="Use binding.penalty(), which sees the effective tensor.",
            )

    def _check_dtype(self, terms: Sequence[_Term], strengths: Sequence[float]) -> None:
        dtype = self._parameter(terms).dtype
        if dtype in HALF and any(0 < s < math.inf for s in strengths):
            raise DtypeError(
                "binding",
                expected=f"{terms[0].entry.name} in float32, as factors near 1 round to 1 in half precision",
                got=str(dtype),
                advice="Keep float32 master weights and run the model under torch.autocast; only inf works as it is.",
            )

    def _non_commuting(self, terms: Sequence[_Term]) -> str:
        """Why the projectors of a parameter are applied in turn; empty if they commute."""
        W = self._parameter(terms)
        kind = torch.complex128 if W.is_complex() else torch.float64
        X = None
        for i, first in enumerate(terms):
            for second in terms[i + 1 :]:
                if X is None:
                    X = torch.randn(W.shape, dtype=kind, generator=torch.Generator().manual_seed(0))
                P, Q = first.entry.projector, second.entry.projector
                if torch.linalg.vector_norm(
                    P.project(Q.project(X)) - Q.project(P.project(X))
                ) > COMMUTATION_TOLERANCE * torch.linalg.vector_norm(X):
                    return f"the projectors of {P.group} and {Q.group} on {first.entry.name} do not commute"
        return ""

    def __repr__(self) -> str:
        groups = ", ".join(str(binding.group) for binding in self.bindings)
        strengths = ", ".join("callable" if callable(s) else str(s) for s in self.strengths)
        exact = "" if self.exact else f", exact=False ({self.reason})"
        what = f"{len(self._terms)} parameters, strength {strengths}, {self.steps} steps"
        return f"EquivarianceDecay({groups}; {what}{exact})"


def _bindings(binding: object) -> tuple[Binding, ...]:
    bindings = (binding,) if isinstance(binding, Binding) else tuple(binding) if isinstance(binding, Sequence) else ()
    if not bindings or not all(isinstance(b, Binding) for b in bindings):
        raise ArgumentError(
            "binding",
            expected="a Binding or a sequence of them",
            got=type(binding).__name__,
            advice="Make one with iw.bind(model, types).",
        )
    return bindings


def _schedules(strength: Any, count: int, *, single: bool) -> tuple[Schedule, ...]:
    if single:
        return (strength,)
    if not isinstance(strength, Sequence) or isinstance(strength, str) or len(strength) != count:
        got = f"{len(strength)} of them" if isinstance(strength, Sequence) else repr(strength)[:80]
        raise ArgumentError("strength", expected=f"a sequence of {count} strengths, one a binding", got=got)
    return tuple(strength)


def _terms(bindings: Sequence[Binding]) -> tuple[tuple[_Term, ...], ...]:
    """The projectors on each parameter, over all bindings; buffers left out."""
    found: dict[object, list[_Term]] = {}
    for number, binding in enumerate(bindings):
        for position, entry in enumerate(binding.entries):
            if entry.kind == "buffer":
                continue
            key = (
                (id(entry.owner(binding.model)), entry.attribute)
                if entry.is_parametrized(binding.model)
                else id(entry.tensor(binding.model))
            )
            found.setdefault(key, []).append(_Term(number, position, entry))
    return tuple(tuple(terms) for terms in found.values())
