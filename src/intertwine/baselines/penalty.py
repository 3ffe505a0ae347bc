"""Ours as a loss term."""

import torch

from intertwine._arguments import integer
from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.binding.forms import Form


class Penalty(Method):
    """``L + s/2 |W-PW|^2`` (+ ``s_G/2 |PW|^2``), summed over the typed parameters; the projection is exact.

    Args:
        subject: as in ``Method``.
        strength: s.
        generator: not used.
        equivariant_strength: s_G.
        form: as in ``Binding.penalty``; ``"norm"`` is ``s |W-PW| + s_G |PW|``.
        every: k > 1 adds k times the penalty at every k-th step, none at the others.

    Source:
        Berndt and Stuehmer, arXiv 2601.05028, whose weight lambda of squared norms is s = 2 lambda.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Penalty, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = Penalty(subject, strength=0.1)  # it begins with projected weights
        >>> model.weight.data = torch.randn(4, 4)
        >>> loss = method.total_loss(torch.zeros(()), x, model(x))
        >>> torch.allclose(loss, subject.binding.penalty(0.1))
        True
    """

    name = "penalty"
    label = "penalty"
    source = "Berndt and Stuehmer 2026, arXiv 2601.05028"
    tuned = True
    equivariant_start = True

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        equivariant_strength: float = 0.0,
        form: Form = "squared",
        every: int = 1,
    ) -> None:
        self.every, self.steps = integer("every", every, 1), 0
        super().__init__(subject, strength, generator=generator)
        self.equivariant_strength, self.form = equivariant_strength, form

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        binding, strengths = self.subject.binding, (self.strength, self.equivariant_strength)
        return binding.penalty(*strengths, self.form, every=self.every, step=self.steps)

    def before_step(self) -> None:
        self.steps += 1
