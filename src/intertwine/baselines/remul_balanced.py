"""REMUL whose two weights are balanced by gradient norms during training."""

import torch

from intertwine.baselines.remul import Against, Remul
from intertwine.baselines.subject import Subject
from intertwine.errors import ArgumentError
from intertwine.training import Criterion

# Weights stay above this share of their sum: a step could take them through zero, which would reward the loss.
SMALLEST = 0.01


class BalancedRemul(Remul):
    """``L = alpha L_obj + beta L_equi`` with weights that change gradually, by GradNorm.

    With ``w = (alpha, beta)``, ``L_i`` the two losses, and W the last weight of the network:

    * ``n_i = |grad_W L_i|``, ``G_i = w_i n_i``, ``G = (G_1 + G_2) / 2``;
    * ``r_i = (L_i(t) / L_i(0)) / mean_j (L_j(t) / L_j(0))``, how much slower than the other a loss falls;
    * ``w_i <- w_i - eta d/dw_i sum_j |G_j - G r_j^a| / G``, the targets ``G r_j^a`` held constant, hence
      ``w_i <- w_i - eta n_i / G sign(G_i - G r_i^a)``, then both are rescaled to ``w_1 + w_2 = 2``.

    Dividing by G is ours: it makes the step free of the units of the losses. So is the bound that keeps a weight above
    1/100 of the sum. The weights of a step are those from before its update. They start at 1, and validation has
    nothing to choose.

    Args:
        subject: as in ``Remul``.
        strength: None.
        generator: draws the elements.
        criterion: as in ``Remul``.
        against: as in ``Remul``.
        asymmetry: a.
        rate: eta.

    Source:
        Elhag et al. 2024, arXiv 2410.17878 (the "gradual" weights); Chen, Badrinarayanan, Lee and Rabinovich 2018,
        "GradNorm", arXiv 1711.02257 (the update).

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import BalancedRemul, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = BalancedRemul(subject, against="outputs")
        >>> loss = method.total_loss(model(x).square().mean(), x, model(x))
        >>> round(method.weights.sum().item(), 6), method.weights[0] != method.weights[1]
        (2.0, tensor(True))
    """

    name = "remul_balanced"
    label = "REMUL, balanced"
    source = "Elhag et al. 2024, arXiv 2410.17878; Chen et al. 2018, arXiv 1711.02257"
    tuned = False

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        criterion: Criterion | None = None,
        against: Against = "targets",
        asymmetry: float = 1.5,
        rate: float = 0.025,
    ) -> None:
        super().__init__(subject, strength, generator=generator, criterion=criterion, against=against)
        self.asymmetry, self.rate = asymmetry, rate
        self.weights = torch.ones(2, dtype=torch.float64)
        self._first: torch.Tensor | None = None
        shared = [p for p in self.model.parameters() if p.requires_grad and p.ndim >= 2]
        if not shared:
            raise ArgumentError("subject", expected="a model with a trained weight matrix", got="none")
        self._shared = shared[-1]

    def total_loss(self, task_loss: torch.Tensor, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        losses = (task_loss, self.equivariance_loss(x, output))
        alpha, beta = self.weights.tolist()
        self._update(losses)
        return alpha * losses[0] + beta * losses[1]

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return float(self.weights[1]) * self.equivariance_loss(x, output)

    def _update(self, losses: tuple[torch.Tensor, torch.Tensor]) -> None:
        gradients = [
            torch.autograd.grad(loss, self._shared, retain_graph=True, allow_unused=True)[0] for loss in losses
        ]
        norms = torch.tensor([0.0 if g is None else float(torch.linalg.vector_norm(g)) for g in gradients]).double()
        values = torch.tensor([float(loss.detach()) for loss in losses]).double()
        if self._first is None:
            self._first = values
        self.weights = balanced(self.weights, norms, values / self._first, self.asymmetry, self.rate)


def balanced(
    weights: torch.Tensor, norms: torch.Tensor, ratios: torch.Tensor, asymmetry: float, rate: float
) -> torch.Tensor:
    """One update of the weights, the equations of ``BalancedRemul``.

    Args:
        weights: w, shape (k,).
        norms: ``n_i``, norms of the gradients of the unweighted losses, shape (k,).
        ratios: ``L_i(t) / L_i(0)``, shape (k,).
        asymmetry: a.
        rate: eta.

    Returns:
        The new weights, whose sum is k; the old ones where a number is not finite or no loss has a gradient.

    Examples:
        >>> two = torch.ones(2, dtype=torch.float64)
        >>> balanced(two, torch.tensor([3.0, 1.0]), two, 0.0, 0.1).tolist()  # the louder one is turned down
        [0.9, 1.1]
    """
    scaled = weights * norms
    mean, relative = scaled.mean(), ratios / ratios.mean()
    if not (mean > 0 and torch.isfinite(mean) and torch.isfinite(relative).all()):
        return weights
    new = weights - rate * norms / mean * torch.sign(scaled - mean * relative**asymmetry)
    new = new.clamp(min=SMALLEST * len(new))
    return new * len(new) / new.sum()
