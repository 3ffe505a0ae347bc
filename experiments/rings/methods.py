"""Methods of the rings beside the baselines: the paper's forms of the penalty, and points turned all at once."""

import math
from typing import Any

import torch
import torch.nn.functional as F

from experiments.rings.data import turn
from intertwine.baselines import Augmentation, Method, Penalty, Remul, Subject, make_method
from intertwine.binding import Form
from intertwine.errors import UnknownNameError

PERCEPTRON = "perceptron"
# "both squared 0.1": both strengths in squared norms with lambda_G = 0.1; the run's strength is lambda_perp.
BOTH = "both"
FORMS: tuple[Form, ...] = ("norm", "squared")
# "sweep penalty": the penalty at strengths that validation does not choose from.
SWEEP = "sweep "


class NormPenalty(Penalty):
    """``strength * sum |W - PW|``: norms and not their squares, summed over the typed weights."""

    name = "penalty_norm"
    label = "penalty, un-squared norms"

    def __init__(
        self, subject: Subject, strength: float | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(subject, strength, generator=generator, form="norm")


class BothStrengths(Penalty):
    """``sum lambda_G |PW|^p + lambda_perp |W - PW|^p``, p = 2 or 1, from torch's own initial draw, as in the paper.

    A squared lambda of the paper is half of the library's strength: ``lambda_G = lambda_perp = s/2`` is weight decay of
    strength s.

    Args:
        subject: the typed model.
        strength: lambda_perp.
        form: ``"squared"`` for p = 2, ``"norm"`` for p = 1.
        equivariant_strength: lambda_G.
    """

    name = BOTH
    label = "both strengths"
    equivariant_start = False

    def __init__(self, subject: Subject, strength: float, form: Form, equivariant_strength: float) -> None:
        factor = 2.0 if form == "squared" else 1.0
        super().__init__(subject, factor * strength, equivariant_strength=factor * equivariant_strength, form=form)


class TurnedAugmentation(Augmentation):
    """Augmentation whose angles act on all points in one operation; turns leave labels alone."""

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return random_turns(x, self.generator), y


class TurnedRemul(Remul):
    """REMUL with cross-entropy, whose angles act on all points in one operation."""

    def equivariance_loss(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        targets = self._targets
        if targets is None:
            return super().equivariance_loss(x, output)
        return F.binary_cross_entropy_with_logits(self.model(random_turns(x, self.generator)), targets)


OWN: dict[str, type[Method]] = {
    NormPenalty.name: NormPenalty,
    TurnedAugmentation.name: TurnedAugmentation,
    TurnedRemul.name: TurnedRemul,
}


def rings_method(
    name: str, subject: Subject, strength: float | None, generator: torch.Generator, **options: Any
) -> Method:
    """The method of that name: one of this task's own, else of ``BASELINES``, which may have options.

    A perceptron is trained plainly.

    Raises:
        UnknownNameError: no such method.
        ArgumentError: a strength that does not fit.
    """
    name = name.removeprefix(SWEEP)
    both = parse_both(name)
    if both is not None:
        form, equivariant_strength = both
        return BothStrengths(subject, strength or 0.0, form, equivariant_strength)
    if name in OWN:
        return OWN[name](subject, strength, generator=generator)
    return make_method("plain" if name == PERCEPTRON else name, subject, strength, generator=generator, **options)


def random_turns(x: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Each point, shape (count, 2), turned by its own uniform angle; float64 as all actions."""
    angles = 2 * math.pi * torch.rand(len(x), generator=generator, dtype=torch.float64)
    return turn(x, angles.to(x.device))


def both_name(form: Form, equivariant_strength: float) -> str:
    """The name of ``BothStrengths`` in settings.

    Examples:
        >>> both_name("norm", 0.01)
        'both norm 0.01'
    """
    return f"{BOTH} {form} {equivariant_strength:g}"


def parse_both(name: str) -> tuple[Form, float] | None:
    """Form and lambda_G of such a name, None for the name of another method.

    Raises:
        UnknownNameError: it begins with ``both``, and the rest is no form and number.

    Examples:
        >>> parse_both("both norm 0.01"), parse_both("plain")
        (('norm', 0.01), None)
    """
    kind, _, rest = name.partition(" ")
    if kind != BOTH:
        return None
    for form in FORMS:
        given, _, number = rest.partition(" ")
        if given == form and number.replace(".", "", 1).replace("e-", "", 1).isdigit():
            return form, float(number)
    raise UnknownNameError("method", expected="'both FORM LAMBDA_G', as in 'both norm 0.01'", got=repr(name))
