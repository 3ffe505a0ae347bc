"""What the decay acts on: one tensor with all its projectors, and the parameters that it is made from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from intertwine.binding import Binding, Entry
from intertwine.projectors import Projector

# Relative to the norm of a random float64 tensor: projectors that commute do so to rounding.
COMMUTATION_TOLERANCE = 1e-10
# Projectors with their strengths.
Pairs = tuple[tuple[Projector, float], ...]


@dataclass(frozen=True)
class Term:
    """One projector on a tensor: entry number ``position`` of binding number ``binding``."""

    binding: int
    position: int
    entry: Entry


@dataclass(frozen=True)
class Target:
    """A tensor of a model, and the projectors on it over all bindings.

    Attributes:
        model: the model that stores it.
        terms: the projectors.
        reason: why they are applied in turn; empty if they commute and measure in the plain norm, or are one.
        constant: its projectors with strengths that no step changes; None where a callable says.
    """

    model: nn.Module
    terms: tuple[Term, ...]
    reason: str = ""
    constant: Pairs | None = None

    @cached_property
    def entry(self) -> Entry:
        """The first of its entries, which says where it lives."""
        return self.terms[0].entry

    @property
    def name(self) -> str:
        """The tensor's full name."""
        return self.entry.name

    @cached_property
    def is_buffer(self) -> bool:
        """Whether the model computes it, and no optimiser: running statistics."""
        return self.entry.kind == "buffer"

    @property
    def is_computed(self) -> bool:
        """Whether its module computes it of others (a parametrisation, an adapter)."""
        return self.entry.is_computed(self.model)

    def tensor(self) -> torch.Tensor:
        """The tensor, read from the model now."""
        return self.entry.tensor(self.model)

    def trained(self) -> list[torch.Tensor]:
        """The parameters that an optimiser updates when it updates the tensor."""
        return [] if self.is_buffer else [W for W in self.entry.sources(self.model) if W.requires_grad]

    def with_constants(self, strengths: Sequence[float | None]) -> "Target":
        """The target with the strength of each of its projectors; None where a callable says."""
        if None in strengths:
            return self
        found = zip(self.terms, strengths, strict=True)
        return replace(self, constant=tuple((term.entry.projector, s) for term, s in found if s))

    def pairs(self, strengths: Sequence[Sequence[float]]) -> Pairs:
        """Its projectors with their strengths, where these are not 0; from those of the entries of each binding."""
        if self.constant is not None:
            return self.constant
        found = ((term.entry.projector, strengths[term.binding][term.position]) for term in self.terms)
        return tuple((P, s) for P, s in found if s)


def targets_of(bindings: Sequence[Binding]) -> tuple[Target, ...]:
    """The typed tensors of all bindings, each once."""
    found: dict[object, list[Term]] = {}
    for number, binding in enumerate(bindings):
        for position, entry in enumerate(binding.entries):
            key = (
                (id(entry.owner(binding.model)), entry.attribute)
                if entry.is_computed(binding.model)
                else id(entry.tensor(binding.model))
            )
            found.setdefault(key, []).append(Term(number, position, entry))
    targets = [Target(bindings[terms[0].binding].model, tuple(terms)) for terms in found.values()]
    return tuple(Target(target.model, target.terms, non_commuting(target)) for target in targets)


def non_commuting(target: Target) -> str:
    """Why the projectors of a tensor are applied in turn; empty if they commute, by a random tensor."""
    if len(target.terms) == 1:
        return ""
    own = [str(term.entry.projector.group) for term in target.terms if term.entry.projector.has_own_norm]
    if own:
        return f"the projector of {own[0]} on {target.name}, one of several, has a norm of its own"
    W = target.tensor()
    kind = torch.complex128 if W.is_complex() else torch.float64
    X = torch.randn(W.shape, dtype=kind, generator=torch.Generator().manual_seed(0))
    for i, first in enumerate(target.terms):
        for second in target.terms[i + 1 :]:
            P, Q = first.entry.projector, second.entry.projector
            distance = torch.linalg.vector_norm(P.project(Q.project(X)) - Q.project(P.project(X)))
            if distance > COMMUTATION_TOLERANCE * torch.linalg.vector_norm(X):
                return f"the projectors of {P.group} and {Q.group} on {first.entry.name} do not commute"
    return ""
