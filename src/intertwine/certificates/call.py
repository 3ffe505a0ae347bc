"""One call of a run, as the rules for bounds see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine.certificates.bounds import Bound, Fixed, VoidError
from intertwine.certificates.norms import largest, matrix_norm, size_of

Known = Bound | Fixed


@dataclass(frozen=True)
class Call:
    """A call with what it was given and what it gave.

    Attributes:
        name: of the function.
        args: its arguments, by position.
        kwargs: by name.
        out: what it gave.
        known: of a tensor among its arguments.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    known: Callable[[torch.Tensor], Known]

    def got(self, position: int, name: str, default: Any = None) -> Any:
        """An argument."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def bound(self, value: Any) -> Bound:
        """Of an argument that depends on the input.

        Raises:
            VoidError: it does not.
        """
        found = self.known(value) if isinstance(value, torch.Tensor) else None
        if not isinstance(found, Bound):
            raise VoidError("an argument that should depend on the input does not")
        return found

    def fixed(self, value: Any, what: str) -> Fixed:
        """Of an argument that does not depend on the input.

        Raises:
            VoidError: it does.
        """
        found = self.known(value) if isinstance(value, torch.Tensor) else Fixed()
        if not isinstance(found, Fixed):
            raise VoidError(f"{what} depends on the input")
        return found

    def plain(self, values: Sequence[Any]) -> None:
        """Whether arguments that decide where things go do not depend on the input.

        Raises:
            VoidError: one does.
        """
        for value in values:
            if isinstance(value, torch.Tensor):
                self.fixed(value, "where things go")

    def shifted(self, bound: Bound, vector: Any, count: int) -> Bound:
        """After adding a constant to each of ``count`` positions."""
        if vector is None:
            return bound
        if not isinstance(vector, torch.Tensor):
            return bound.through(1.0, abs(float(vector)) * count**0.5)
        fixed = self.fixed(vector, "what is added")
        grown = bound.through(1.0, size_of(vector) * count**0.5)
        if fixed.residual is None:
            return grown
        return grown.off_by(fixed.names, 2 * size_of(fixed.residual) * count**0.5)

    def stretched(self, bound: Bound, vector: Any) -> Bound:
        """After multiplication of entries by a constant."""
        if not isinstance(vector, torch.Tensor):
            return bound.through(abs(float(vector)))
        fixed = self.fixed(vector, "the factor")
        scaled = bound.through(largest(vector))
        if fixed.residual is None:
            return scaled
        return scaled.off_by(fixed.names, 2 * largest(fixed.residual) * bound.size)

    def mapped(
        self, bound: Bound, weight: Any, norm: Callable[[torch.Tensor], float] = matrix_norm, factor: float = 1.0
    ) -> Bound:
        """After a linear map; ``norm``: of what a weight does, times ``factor``."""
        fixed = self.fixed(weight, "the weight")
        found = bound.through(factor * norm(weight))
        if fixed.residual is None:
            return found
        return found.off_by(fixed.names, 2 * factor * norm(fixed.residual) * bound.size)
