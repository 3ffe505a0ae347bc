"""What a training logs: residuals, strengths and targets as one flat dictionary."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from intertwine._arguments import flag
from intertwine.binding import Binding
from intertwine.decay import EquivarianceDecay
from intertwine.decay.checks import check_bindings
from intertwine.decay.schedules import Schedules
from intertwine.split.component_optimizer import ComponentOptimizer
from intertwine.training.equivariance_penalty import EquivariancePenalty

# What a strength is called in a log, by what has it.
KINDS = {
    EquivarianceDecay: "decay_strength",
    EquivariancePenalty: "penalty_strength",
    ComponentOptimizer: "split_strength",
}
PREFIX = "equivariance/"


def scalars(what: Any, *, targets: Any = None, per_tensor: bool = True) -> dict[str, float]:
    """Numbers to log, by names with slashes as TensorBoard and W&B group them.

    * ``equivariance/residual``: ``|W - P W| / |W|`` of all typed parameters as one vector, and
      ``equivariance/residual/NAME`` of each typed tensor (buffers too). ``binding.residuals()`` has what chance gives.
    * ``equivariance/decay_strength`` (``penalty_strength``, ``split_strength``): that of the next step, or
      ``.../NAME`` where tensors have different ones.
    * ``equivariance/target``: likewise.

    With several bindings the group stands in between: ``equivariance/C4/residual``, and a number behind it where
    several have the same. It waits for the device once a tensor: log every so many steps.

    Args:
        what: a ``Binding`` or a sequence of them; or what acts on them: an ``EquivarianceDecay``,
            ``EquivariancePenalty``, ``SplitAdamW``, ``SplitOptimizer`` or ``Regularization``.
        targets: relative residuals that are aimed at, to stand beside: a number, a mapping from names of parameters or
            modules, or a callable from the number of steps; for several bindings a sequence of these.
        per_tensor: whether each tensor has its own line.

    Raises:
        ArgumentError: something else; a target that is none.
        NonFiniteError: a tensor holds NaN or infinity.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.training import scalars
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> binding = iw.bind(layer, {"": (V, V)}).project_()
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        >>> decay = iw.EquivarianceDecay(optimizer, binding, strength={"weight": 2.0})
        >>> found = scalars(decay, targets=0.05)
        >>> [name.removeprefix("equivariance/") for name in found]  # doctest: +NORMALIZE_WHITESPACE
        ['residual', 'residual/weight', 'residual/bias', 'decay_strength/weight', 'decay_strength/bias', 'target']
        >>> found["equivariance/residual"] < 1e-6, found["equivariance/decay_strength/weight"]
        (True, 2.0)
    """
    flag("per_tensor", per_tensor)
    kind = next((name for acting, name in KINDS.items() if isinstance(what, acting)), None)
    strengths: dict[str, Sequence[Mapping[str, float]]] = {}
    bindings: Sequence[Binding] = ()
    steps = 0
    if kind is None and not isinstance(getattr(what, "strengths", None), Mapping):
        bindings = check_bindings(what)
    else:
        bindings, steps = what.bindings, what.steps
        strengths = dict(what.strengths) if kind is None else {kind: what.strengths}
    if targets is not None:
        wanted = Schedules(bindings, targets, single=len(bindings) == 1, argument="targets", infinite=False)
        strengths = {**strengths, "target": wanted.named(steps)}
    found: dict[str, float] = {}
    for number, (bound, label) in enumerate(zip(bindings, _labels(bindings), strict=True)):
        found |= _residuals(bound, label, per_tensor=per_tensor)
        for name, each in strengths.items():
            found |= _lines(f"{label}{name}", each[number])
    return found


def _labels(bindings: Sequence[Binding]) -> list[str]:
    """What begins the names of each binding's numbers."""
    if len(bindings) == 1:
        return [PREFIX]
    groups = [str(bound.group) for bound in bindings]
    seen: Counter[str] = Counter()
    labels = []
    for group in groups:
        seen[group] += 1
        labels.append(f"{PREFIX}{group}{f' {seen[group]}' if groups.count(group) > 1 else ''}/")
    return labels


def _residuals(bound: Binding, label: str, *, per_tensor: bool) -> dict[str, float]:
    residuals = bound.residuals()
    parameters = [residual for residual in residuals.values() if residual.kind != "buffer"]
    # `hypot` holds at every scale.
    rest, whole = (math.hypot(*(getattr(r, name) for r in parameters)) for name in ("residual", "norm"))
    found = {f"{label}residual": rest / whole if whole else 0.0}
    for name, residual in residuals.items() if per_tensor else ():
        found[f"{label}residual/{name}"] = residual.relative_residual
    return found


def _lines(label: str, each: Mapping[str, float]) -> dict[str, float]:
    """One number where all are equal, else a line each."""
    values = set(each.values())
    return {label: values.pop()} if len(values) == 1 else {f"{label}/{name}": value for name, value in each.items()}
