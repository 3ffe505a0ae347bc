"""The projection-based equivariance regulariser: our penalty with strengths that training shares out by itself."""

from collections.abc import Sequence
from math import isfinite

import torch

from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.binding import Binding
from intertwine.errors import ArgumentError

# Keeps the strengths of equivariant tensors finite: one with no residual gets 1 + 1 / 0.1 times the average one's.
DAMPING = 0.1


class ProjectionBasedRegularizer(Method):
    r"""``sum over groups i and tensors l of s_il/2 |W_l - P_i W_l|^2``, the strengths ``s_il`` set during training.

    What this class takes from the paper: the regulariser is half the squared distance to the equivariant weights, with
    one term for each layer and group; the strengths are tuned automatically while training; a group that the data
    break ends with a weak one.

    **The tuning rule is our reading, not the paper's.** Only the paper's abstract and other papers' descriptions of it
    were at hand, not its equation, and its code was not to be copied. The rule: with
    ``rho_il = (|W_l - P_i W_l| / |W_l|) / chance_il``, the relative residual in units of that of random weights, and
    its mean ``rho``, after each epoch

    ``s_il = strength n a_il / sum a``,  ``a_il = 1 / (0.1 + rho_il / rho)``,  n terms.

    * The mean strength stays ``strength``, which validation chooses as it does ours: what tunes itself is how it is
      shared out over layers and groups.
    * Apart from the damping, ``s_il rho_il`` is the same for all terms: each pulls equally hard on its layer.
    * The inverse of rho, and no higher power: near a minimum rho falls at most like 1 / s, so that the shares settle.
      In proportion to 1 / rho^2, as the precision of a Gaussian prior would be, small differences between like layers
      grow.

    Of a single term, or while all weights are equivariant, every strength is ``strength``: PER is our penalty there.
    The start is projected as for our penalty, so that the strengths are all that differs.

    Args:
        subject: the typed model; its group is the first.
        strength: the mean strength, where all begin.
        generator: not used.
        others: the same model's bindings for further groups (mixed symmetries).

    Attributes:
        strengths: for each group, its strengths now, by name of the tensor.

    Raises:
        ArgumentError: a binding of another model.

    Source:
        Kim, Lee, Yang and Lee, ICML 2023, Regularizing towards soft equivariance under mixed symmetries, arXiv
        2306.00356; but for the rule, see above.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import ProjectionBasedRegularizer, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = ProjectionBasedRegularizer(subject, strength=0.1)
        >>> model.weight.data = torch.randn(4, 4)
        >>> method.after_epoch(0, 10)
        >>> strengths = method.strengths[0]
        >>> round(sum(strengths.values()) / len(strengths), 6), strengths["weight"] < 0.1 < strengths["bias"]
        (0.1, True)
    """

    name = "per"
    label = "PER (our reading)"
    source = "Kim, Lee, Yang and Lee 2023, arXiv 2306.00356; tuning rule: our reading"
    tuned = True
    equivariant_start = True

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        others: Sequence[Binding] = (),
    ) -> None:
        if any(binding.model is not subject.model for binding in others):
            raise ArgumentError("others", expected="bindings of subject.model", got="one of another model")
        super().__init__(subject, strength, generator=generator)
        self._bindings = (subject.binding, *others)
        self.strengths: tuple[dict[str, float], ...] = tuple(
            {entry.name: self.strength for entry in binding if entry.kind != "buffer"} for binding in self._bindings
        )

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor | None:
        """``sum of s_il/2 |W_l - P_i W_l|^2``."""
        pairs = zip(self._bindings, self.strengths, strict=True)
        return torch.stack([binding.penalty(strengths) for binding, strengths in pairs]).sum()

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """Shares the strength out by the residuals; nothing changes while these are all 0, or not finite."""
        found: list[tuple[dict[str, float], str, float]] = []
        for binding, strengths in zip(self._bindings, self.strengths, strict=True):
            for entry, W in binding.tensors():
                # Tensors that every group element leaves alone have chance 0, and no residual to share strength by.
                if entry.name in strengths and entry.projector.chance > 0:
                    relative = float(entry.projector.relative_residual(W.detach()))
                    found.append((strengths, entry.name, relative / entry.projector.chance))
        mean = sum(rho for *_, rho in found) / max(len(found), 1)
        if not isfinite(mean) or mean == 0:
            return
        shares = [1 / (DAMPING + rho / mean) for *_, rho in found]
        for (strengths, name, _), share in zip(found, shares, strict=True):
            strengths[name] = self.strength * len(shares) * share / sum(shares)
