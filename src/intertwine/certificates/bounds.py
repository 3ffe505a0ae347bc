"""What is known of a tensor in a run: how large it can be, and how far from equivariant."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch


class VoidError(Exception):
    """Nothing can be said of what a call gives; the message says why."""


@dataclass(frozen=True)
class Bound:
    """Of a tensor ``h(x)`` that depends on the input x.

    Attributes:
        size: at least ``|h(x)|``, the norm of all entries.
        parts: at least ``|h(g x) - g h(x)|`` for every g: the sum of what each weight's residual has a part in.
        reach: at least ``|h(g x)|`` for every g, which is not measured where ``size`` is.
    """

    size: float
    parts: Mapping[str, float]
    reach: float

    @classmethod
    def of(cls, size: float) -> "Bound":
        """Of an input: the group moves it without a change of size."""
        return cls(size, {}, size)

    @property
    def error(self) -> float:
        """At least ``|h(g x) - g h(x)|``."""
        return sum(self.parts.values())

    def through(self, lipschitz: float, offset: float = 0.0) -> "Bound":
        """After a function with this Lipschitz constant that commutes with the group; ``offset``: its size at zero."""
        parts = {name: lipschitz * part for name, part in self.parts.items()}
        return Bound(lipschitz * self.size + offset, parts, lipschitz * self.reach + offset)

    def at_most(self, size: float) -> "Bound":
        """The same where no value is larger."""
        return Bound(min(self.size, size), self.parts, min(self.reach, size))

    def measured(self, size: float) -> "Bound":
        """The same where it was seen to be no larger."""
        return Bound(min(self.size, size), self.parts, self.reach)

    def capped(self) -> "Bound":
        """The same: nothing is further from another than both are large."""
        error, most = self.error, self.size + self.reach
        if error <= most:
            return self
        return Bound(self.size, {name: part * (most / error) for name, part in self.parts.items()}, self.reach)

    def off_by(self, names: Iterable[str], error: float) -> "Bound":
        """The same, further off by so much, for which the weights of these names are the cause."""
        if not error:
            return self
        key = " with ".join(names)
        return Bound(self.size, {**self.parts, key: self.parts.get(key, 0.0) + error}, self.reach)


@dataclass(frozen=True)
class Fixed:
    """Of a tensor that does not depend on the input: what of it is not equivariant.

    Attributes:
        residual: its non-equivariant part, of its shape; None where there is none.
        names: of the weights that it is made of.
    """

    residual: torch.Tensor | None = None
    names: tuple[str, ...] = ()


def together(bounds: Iterable[Bound]) -> Bound:
    """Of tensors side by side, as ``cat`` has them: in quadrature, errors part by part."""
    found = list(bounds)
    names = dict.fromkeys(name for bound in found for name in bound.parts)
    parts = {name: math.hypot(*(bound.parts.get(name, 0.0) for bound in found)) for name in names}
    return Bound(math.hypot(*(bound.size for bound in found)), parts, math.hypot(*(bound.reach for bound in found)))


def added(bounds: Iterable[Bound]) -> Bound:
    """Of a sum."""
    found = list(bounds)
    names = dict.fromkeys(name for bound in found for name in bound.parts)
    parts = {name: sum(bound.parts.get(name, 0.0) for bound in found) for name in names}
    return Bound(sum(bound.size for bound in found), parts, sum(bound.reach for bound in found))


def multiplied(one: Bound, other: Bound) -> Bound:
    """Of a product that commutes with the group, of entries or of matrices: ``|a b| <= |a| |b|``.

    ``|a' b' - g(a b)| <= |a' - g a| |b'| + |a| |b' - g b|`` with ``a' = a(g x)``.
    """
    names = dict.fromkeys((*one.parts, *other.parts))
    parts = {n: other.reach * one.parts.get(n, 0.0) + one.size * other.parts.get(n, 0.0) for n in names}
    return Bound(one.size * other.size, parts, one.reach * other.reach)
