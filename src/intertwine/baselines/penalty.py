"""Ours as a loss term."""

import torch

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

    Source:
        Berndt and Stuehmer, arXiv 2601.05028, whose weight lambda of squared norms is s = 2 lambda.
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
    ) -> None:
        super().__init__(subject, strength, generator=generator)
        self.equivariant_strength, self.form = equivariant_strength, form

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return self.subject.binding.penalty(self.strength, self.equivariant_strength, self.form)
