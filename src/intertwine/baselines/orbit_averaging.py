"""Plain training, averaged over the group at test time."""

import torch
from torch import nn

from intertwine._arguments import integer
from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.errors import ArgumentError

# Finite groups up to this order are averaged completely: it is that many forward passes.
COMPLETE_ORDER = 48


class OrbitAveraging(Method):
    """Plain training; what is evaluated is ``x -> mean_g g^-1 f(g x)``.

    The mean is over all elements of a finite group of order up to 48, and is then exactly equivariant wherever the
    actions are exact. Elsewhere it is over ``num_samples`` fixed random elements, whose mean is only approximately
    equivariant. It costs as many forward passes as there are elements.

    Args:
        subject: as in ``Method``.
        strength: None.
        generator: not used.
        num_samples: how many random elements, for infinite and large groups.
        seed: of these elements.

    Raises:
        ArgumentError: the group is not compact, so that it has no average.

    Source:
        The Reynolds operator on functions; as test-time averaging in Puny et al. 2022, "Frame averaging", arXiv
        2110.03336.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import OrbitAveraging, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> averaged = OrbitAveraging(subject).finish()
        >>> float(iw.equivariance_error(averaged, V, V, x)) < 1e-5 < float(iw.equivariance_error(model, V, V, x))
        True
    """

    name = "orbit_averaging"
    label = "orbit averaging"
    source = "Puny et al. 2022, arXiv 2110.03336"

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        num_samples: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(subject, strength, generator=generator)
        group = subject.group
        if not group.is_compact:
            raise ArgumentError("subject", expected="a compact group, which has an average", got=str(group))
        count = integer("num_samples", num_samples, 1)
        complete = group.is_finite and group.order <= COMPLETE_ORDER
        self.elements = (
            group.elements() if complete else group.sample(count, generator=torch.Generator().manual_seed(seed))
        )

    def finish(self) -> nn.Module:
        return OrbitAverage(self.model, self.subject, self.elements)


class OrbitAverage(nn.Module):
    """``x -> mean over g of g^-1 f(g x)``.

    Args:
        model: the function f.
        subject: gives the actions on both sides.
        elements: what the mean is over, shape (n, d, d), orthogonal matrices.
    """

    def __init__(self, model: nn.Module, subject: Subject, elements: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self._act_in, self._act_out = subject.act_in, subject.act_out
        # Not a buffer: actions take float64 elements on the CPU wherever the model is.
        self._elements = elements

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The average, of the model's output shape."""
        moved = [self._act_out(g.mT, self.model(self._act_in(g, x))) for g in self._elements]
        total = moved[0]
        for term in moved[1:]:
            total = total + term
        return total / len(moved)
