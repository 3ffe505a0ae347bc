"""Methods of approximate equivariance behind one protocol: ours, the peers', and the controls.

``make_method(name, subject, strength)`` gives any of ``BASELINES``; ``training_step`` trains with it.
"""

from inspect import signature
from typing import Any

import torch

from intertwine.baselines.augmentation import Augmentation
from intertwine.baselines.decay import Decay
from intertwine.baselines.exact import Exact
from intertwine.baselines.lie_derivative import LieDerivative, lie_action, no_motion
from intertwine.baselines.method import Method
from intertwine.baselines.orbit_averaging import OrbitAveraging
from intertwine.baselines.penalty import Penalty
from intertwine.baselines.per import ProjectionBasedRegularizer
from intertwine.baselines.plain import Plain
from intertwine.baselines.relaxed_constraint import RelaxedConstraint
from intertwine.baselines.remul import Remul
from intertwine.baselines.remul_balanced import BalancedRemul
from intertwine.baselines.rpp import ResidualPathwayPrior
from intertwine.baselines.sampled_activation import SampledActivation
from intertwine.baselines.sampled_operator import SampledOperator, operator_penalty
from intertwine.baselines.split import Split
from intertwine.baselines.subject import Action, Subject, leave
from intertwine.baselines.train_then_project import TrainThenProject
from intertwine.baselines.weight_decay import WeightDecay
from intertwine.errors import UnknownNameError, listing
from intertwine.training import Criterion, peak_memory, training_step

# What every method takes.
PROTOCOL = ("self", "subject", "strength", "generator")
# In the order of tables.
BASELINES: dict[str, type[Method]] = {
    method.name: method
    for method in (
        Plain,
        WeightDecay,
        Augmentation,
        Exact,
        TrainThenProject,
        OrbitAveraging,
        SampledOperator,
        SampledActivation,
        Remul,
        BalancedRemul,
        LieDerivative,
        ResidualPathwayPrior,
        ProjectionBasedRegularizer,
        RelaxedConstraint,
        Penalty,
        Decay,
        Split,
    )
}


def make_method(
    name: str,
    subject: Subject,
    strength: float | None = None,
    *,
    generator: torch.Generator | None = None,
    **options: Any,
) -> Method:
    """The method of that name around a subject.

    Args:
        name: a key of ``BASELINES``.
        subject: the typed model; its weights may be projected at once.
        strength: of methods that have one.
        generator: for augmentation and sampled elements.
        options: the method's own, as ``every`` of penalty and decay, ``num_samples`` of the sampled ones.

    Raises:
        UnknownNameError: no such method, or it has no such option.
        ArgumentError: a strength that does not fit, or a subject that the method cannot work on.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Subject, make_method
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> make_method("penalty", subject, strength=0.1, every=8).label
        'penalty'
    """
    if not isinstance(name, str) or name not in BASELINES:
        raise UnknownNameError("name", expected=f"one of {listing(BASELINES, limit=20)}", got=repr(name)[:80])
    known = [o.name for o in signature(BASELINES[name].__init__).parameters.values() if o.name not in PROTOCOL]
    for option in options:
        if option not in known:
            expected = f"one of {listing(known)}, of {name}" if known else f"none, as {name} has none"
            raise UnknownNameError("options", expected=expected, got=repr(option)[:80])
    return BASELINES[name](subject, strength, generator=generator, **options)


__all__ = [
    "BASELINES",
    "Action",
    "Augmentation",
    "BalancedRemul",
    "Criterion",
    "Decay",
    "Exact",
    "LieDerivative",
    "Method",
    "OrbitAveraging",
    "Penalty",
    "Plain",
    "ProjectionBasedRegularizer",
    "RelaxedConstraint",
    "Remul",
    "ResidualPathwayPrior",
    "SampledActivation",
    "SampledOperator",
    "Split",
    "Subject",
    "TrainThenProject",
    "WeightDecay",
    "leave",
    "lie_action",
    "make_method",
    "no_motion",
    "operator_penalty",
    "peak_memory",
    "training_step",
]
