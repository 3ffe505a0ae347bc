"""REMUL: equivariance as a second task, on samples moved at random."""

from typing import Literal

import torch
import torch.nn.functional as F

from intertwine.baselines.method import Method
from intertwine.baselines.per_sample import draw_per_sample
from intertwine.baselines.subject import Subject
from intertwine.errors import ArgumentError
from intertwine.training import Criterion

Against = Literal["targets", "outputs"]


class Remul(Method):
    """``L = alpha L_obj + beta L_equi`` with constant weights, alpha = 1 and beta the strength.

    ``L_equi = 1/m sum_i l(f(g_i x_i), g_i y_i)``, one random g_i for each of the m samples, drawn anew at each step.
    Predictions on moved inputs are compared with moved *targets*, as in the paper: alpha = 0 would be augmentation, and
    where the data break the symmetry this term draws away from them. ``against="outputs"`` puts ``f(x_i)``, with its
    gradient, in the place of y_i: the paper's measure of a function's equivariance, squared, as a loss. A strength here
    is the paper's own beta, without the 1/2 of the penalties.

    The metric l is the task's own where it is given; otherwise the mean squared error for floating-point targets and
    the cross-entropy for labels. Against outputs it is always the mean squared error.

    Args:
        subject: as in ``Method``; ``act_out`` moves targets too, ``leave`` for labels.
        strength: beta.
        generator: draws the elements.
        criterion: l, from prediction and target to a scalar.
        against: ``"targets"`` or ``"outputs"``.

    Raises:
        ArgumentError: another ``against``.

    Source:
        Elhag, Rusch, Di Giovanni and Bronstein 2024, "Relaxed equivariance via multitask learning", arXiv 2410.17878.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Remul, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> _ = subject.binding.project_()
        >>> method = Remul(subject, strength=1.0, against="outputs")
        >>> method.penalty(x, model(x)).item() < 1e-10
        True
    """

    name = "remul"
    label = "REMUL"
    source = "Elhag et al. 2024, arXiv 2410.17878"
    tuned = True

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        criterion: Criterion | None = None,
        against: Against = "targets",
    ) -> None:
        if against not in ("targets", "outputs"):
            raise ArgumentError("against", expected="'targets' or 'outputs'", got=repr(against))
        super().__init__(subject, strength, generator=generator)
        self.criterion, self.against = criterion, against
        self._targets: torch.Tensor | None = None

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self._targets = y
        return x, y

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return self.strength * self.equivariance_loss(x, output)

    def equivariance_loss(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """``L_equi`` on the batch that ``batch`` saw last.

        Raises:
            ArgumentError: no batch of that size has gone through ``batch``.
        """
        drawn = draw_per_sample(self.subject.group, len(x), self.generator)
        moved = self.model(drawn.act(self.subject.act_in, x))
        if self.against == "outputs":
            return F.mse_loss(moved, drawn.act(self.subject.act_out, output))
        if self._targets is None or len(self._targets) != len(x):
            raise ArgumentError(
                "x", expected="the inputs that batch(x, y) returned", got=f"{len(x)} samples", advice="Call it first."
            )
        y = drawn.act(self.subject.act_out, self._targets)
        return (self.criterion or _metric(y))(moved, y)


def _metric(y: torch.Tensor) -> Criterion:
    """The mean squared error, or the cross-entropy if y are labels."""
    return F.mse_loss if y.is_floating_point() or y.is_complex() else F.cross_entropy
