"""Residual pathway priors: each weight an equivariant one plus a free one that the prior keeps small."""

from collections.abc import Iterator
from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.binding import Entry
from intertwine.errors import ArgumentError
from intertwine.layers.effective.parametrized import parametrizations
from intertwine.projectors import Projector

# 1 / sigma_a^2, the strength on the equivariant path: fixed, and small against all strengths worth trying.
EQUIVARIANT_STRENGTH = 1e-4
# How large the free path begins, as a fraction of the initial draw.
FREE_FRACTION = 0.01


class ResidualPathwayPrior(Method):
    """Weights ``W = P A + B`` with a wide Gaussian prior on A and a narrow one on B.

    ``A ~ N(0, sigma_a^2), B ~ N(0, sigma_b^2), sigma_a >> sigma_b``; maximum a posteriori adds to the loss

    ``-log p = |A|^2 / (2 sigma_a^2) + |B|^2 / (2 sigma_b^2) = s_a/2 |A|^2 + s/2 |B|^2``

    with the strength ``s = 1 / sigma_b^2`` and ``s_a`` = 1e-4 fixed, in units of the task's mean loss. P A is the layer
    that the paper solves for in an equivariant basis. A begins as the projected initial draw at full norm, B as 1 % of
    the draw itself.

    How it differs from our penalty: the prior is on all of B, not on (I - P) B, so that B may hold an equivariant part
    and is charged for it; the typed weights are stored twice; gradient steps move P W twice, through A and through B.
    With W fixed, the best split into A and B charges

    ``min over A, B of s_a/2 |A|^2 + s/2 |B|^2 = s/2 |W-PW|^2 + 1/2 (s s_a / (s + s_a)) |PW|^2``

    so that its optimum is that of our penalty with a weak strength on PW: what differs is the way there.

    Each typed weight and bias becomes a torch parametrisation of the model, which ``finish`` takes off again, leaving
    plain tensors ``W``. ``num_parameters`` counts rank P numbers for each A. Between ``finish`` and the
    constructor the binding reads the effective W, and cannot write to it.

    Args:
        subject: the typed model; its weights are projected, norms of output fields kept, and parametrised.
        strength: ``s``.
        generator: not used.

    Raises:
        ArgumentError: a typed weight is parametrised already, or shared between modules.

    Source:
        Finzi, Benton and Wilson 2021, Residual pathway priors for soft equivariance constraints, arXiv 2112.01388.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import ResidualPathwayPrior, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = ResidualPathwayPrior(subject, strength=1.0)
        >>> method.num_parameters  # 4 + 1 coefficients of the equivariant path, 16 + 4 of the free one
        25
        >>> method.finish() is model, type(model.weight).__name__
        (True, 'Parameter')
    """

    name = "rpp"
    label = "RPP"
    source = "Finzi, Benton and Wilson 2021, arXiv 2112.01388"
    tuned = True
    equivariant_start = True

    def __init__(
        self, subject: Subject, strength: float | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        entries = _trained(subject)
        draws = [entry.tensor(subject.model).detach().clone() for entry in entries]
        super().__init__(subject, strength, generator=generator)
        self._entries: tuple[Entry, ...] = entries
        redundant = 0
        for entry, draw in zip(entries, draws, strict=True):
            P = entry.projector
            redundant += draw.numel() - P.rank * draw.numel() // max(P.ambient_dim, 1)
            sum_of_paths = _SumOfPaths(P, FREE_FRACTION * draw)
            parametrize.register_parametrization(entry.owner(subject.model), entry.attribute, sum_of_paths)
        self._count = super().num_parameters - redundant

    @property
    def num_parameters(self) -> int:
        """Numbers that are trained: rank P for each equivariant path, all of the free one, and what is not typed."""
        return self._count

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor | None:
        """``s_a/2 |A|^2 + s/2 |B|^2``, summed over the typed tensors."""
        terms = [EQUIVARIANT_STRENGTH * A.square().sum() + self.strength * B.square().sum() for A, B in self._paths()]
        return 0.5 * torch.stack(terms).sum() if terms else None

    def finish(self) -> nn.Module:
        """The model with plain weights ``W = P A + B``; the split is gone then."""
        for entry in self._entries:
            parametrize.remove_parametrizations(entry.owner(self.model), entry.attribute, leave_parametrized=True)
        self._entries = ()
        return self.model

    def _paths(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """A and B of each typed tensor."""
        for entry in self._entries:
            both = parametrizations(entry.owner(self.model))[entry.attribute]
            A, B = both.original0, both.original1
            yield cast("torch.Tensor", A), cast("torch.Tensor", B)


class _SumOfPaths(nn.Module):
    """The parametrisation ``(A, B) -> P A + B``."""

    def __init__(self, projector: Projector, free: torch.Tensor) -> None:
        super().__init__()
        self.projector = projector
        self._free: torch.Tensor | None = free

    def forward(self, equivariant: torch.Tensor, free: torch.Tensor) -> torch.Tensor:
        return self.projector.project(equivariant) + free

    def right_inverse(self, W: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # At registration, W is the projected draw and B begins as given; a later assignment keeps W exactly.
        free, self._free = self._free, None
        A = self.projector.project(W)
        return (A, W - A) if free is None else (A, free)


def _trained(subject: Subject) -> tuple[Entry, ...]:
    """The entries whose tensors are trained.

    Raises:
        ArgumentError: one of them cannot be split.
    """
    entries = tuple(e for e in subject.binding if e.kind != "buffer" and e.tensor(subject.model).requires_grad)
    uses: dict[int, int] = {}
    for _, parameter in subject.model.named_parameters(remove_duplicate=False):
        uses[id(parameter)] = uses.get(id(parameter), 0) + 1
    for entry in entries:
        if entry.is_computed(subject.model) or uses[id(entry.tensor(subject.model))] > 1:
            raise ArgumentError(
                "subject",
                expected="typed weights that are parameters of one module each",
                got=f"{entry.name}, computed by a parametrisation or shared between modules",
                advice="The two paths of RPP need weights of their own.",
            )
    return entries
