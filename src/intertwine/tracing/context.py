"""What a rule of a torch function works with: the types of its tensors, and the constraints that it states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from intertwine.groups import Group
from intertwine.tracing.axes import Axis, Digit, Factor, Fixed, Nested, Squared, Unknown, fixed, single
from intertwine.tracing.bindings import ConflictError, Weighed, without_direction
from intertwine.tracing.gathers import Gather
from intertwine.tracing.normal_form import is_alone, is_squared, permutes, resolved, unknowns
from intertwine.tracing.solver import Solver
from intertwine.tracing.types.tensor_type import ParameterUse, TensorType

Axes = list[Axis]
# What a rule returns: the axes of each tensor of its output, nested as the output is.
Typed = Any


@dataclass
class Context:
    """The tensors of a run with their types; what rules of functions are given as ``ctx``.

    Attributes:
        solver: the constraints so far.
        group: the group that acts.
        uses: the parameters and buffers that were met, by name.
        gathers: tables read by constant indices, to be typed late.
        notes: what was left alone for want of a better way, each with its place.
        buffers: which of the names are buffers'.
        given: leading axes of parameters that are typed by hand.
        slices: what was read of pixels at even distances, see ``functions.strided``.
        hidden: features that layers make, as they came up.
        lost: parameters that went into a call for which there is no rule, by name, and why.
    """

    solver: Solver
    group: Group
    names: dict[int, str] = field(default_factory=dict)
    uses: dict[str, ParameterUse] = field(default_factory=dict)
    gathers: list[Gather] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    hidden: list[Unknown] = field(default_factory=list)
    buffers: frozenset[str] = frozenset()
    given: Mapping[str, Sequence[Axis | None]] = field(default_factory=dict)
    slices: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)
    _types: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)
    _scaled: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)

    # -- types ------------------------------------------------------------------------------------

    def known(self, tensor: torch.Tensor) -> TensorType | None:
        """The type of a tensor that has come up before."""
        found: TensorType | None = self._types.get(tensor)
        return found

    def type_of(self, tensor: torch.Tensor) -> TensorType:
        """The type of a tensor; what comes up for the first time is a constant of unknown axes."""
        found = self.known(tensor)
        if found is not None and len(found.axes) == tensor.ndim:
            return found
        name = self.names.get(id(tensor), "")
        unknown = self.solver.entries if name else self.solver.fresh
        kind = TensorType([unknown(size) for size in tensor.shape], False, (name,) if name else ())
        self.assign(tensor, kind)
        if name:
            self.uses.setdefault(name, ParameterUse(kind, is_complex=tensor.is_complex()))
            for axis, said in zip(kind.axes, self.given.get(name, ()), strict=False):
                if said is not None:
                    self.unify(axis, said)
        return kind

    def assign(self, tensor: torch.Tensor, kind: TensorType) -> None:
        """Say what the type of a tensor is."""
        self._types[tensor] = kind

    def axes(self, tensor: torch.Tensor, *, squares: bool = False) -> Axes:
        """The axes of a tensor; products ``u_i w_i`` count as permuted features but where ``squares`` are wanted."""
        axes = [resolved(axis) for axis in self.type_of(tensor).axes]
        return axes if squares else [self.unsquared(axis) for axis in axes]

    def unsquared(self, axis: Axis) -> Axis:
        """An axis whose products of features are used as features, which asks that the group permutes these."""
        if not is_squared(axis):
            return axis
        terms = []
        for term in axis.terms:
            factors: list[Factor] = []
            for factor in term:
                if isinstance(factor, Squared) and unknowns(factor.axis):
                    self.need(factor.axis, "pointwise")
                    factors.append(Nested(factor.axis))
                else:  # vectors: nothing makes features of their products
                    factors.append(factor)
            terms.append(tuple(factors))
        return resolved(Axis(tuple(terms)))

    def dynamic(self, value: object) -> bool:
        """Whether a tensor depends on the model's input."""
        return isinstance(value, torch.Tensor) and self.type_of(value).dynamic

    # -- constraints ------------------------------------------------------------------------------

    def unify(self, first: Axis, second: Axis) -> None:
        """Two axes are one."""
        self.solver.unify(first, second)

    def equal(self, first: Axis, second: Axis) -> bool:
        """Make two axes one if they can be; whether they could."""
        return self.solver.attempt(lambda: self.unify(first, second))

    def meet(self, tensor: torch.Tensor, axis: Axis, other: Axis) -> None:
        """As ``unify``, where ``axis`` is of a tensor: a constant that is no parameter may be of several types."""
        kind = self.type_of(tensor)
        if kind.dynamic or kind.parameters:
            self.unify(axis, other)
        else:
            self.equal(axis, other)

    def need(self, axis: Axis, kind: str) -> None:
        """What must be true of an axis: ``"pointwise"`` or ``"ones"``."""
        self.solver.need(axis, kind)

    def need_all(self, axes: Sequence[Axis], kind: str = "pointwise") -> None:
        """Likewise of several."""
        for axis in axes:
            self.need(axis, kind)

    def cut(self, axis: Axis, sizes: Sequence[int]) -> list[Axis]:
        """An axis as consecutive runs."""
        return self.solver.cut(axis, sizes)

    def factor(self, axis: Axis, sizes: Sequence[int]) -> list[Axis]:
        """An axis as a product, the first factor outermost."""
        return self.solver.factor(axis, sizes)

    def product(self, axes: Sequence[Axis]) -> Axis:
        """Several axes merged to one."""
        return resolved(Axis((tuple(Nested(axis) for axis in axes) or (Fixed(1),),)))

    def fresh(self, size: int) -> Axis:
        """An axis of which nothing is known yet."""
        return self.solver.fresh(size)

    def weighed(self) -> list[Weighed]:
        """The axes of every parameter so far, and which of them are outputs."""
        return [(use.type.axes, use.output) for use in self.uses.values()]

    def carries(self, tensor: torch.Tensor, axis: Axis) -> Axis:
        """``axis``, made of ``tensor``: hidden features if that depends on the input."""
        if self.dynamic(tensor):
            self.solver.mark_feature(axis)
            self.hidden += unknowns(resolved(axis))
        return axis

    def alone(self, axis: Axis, why: str) -> Axis:
        """An axis that this function can only treat if the group leaves it alone."""
        clean = resolved(axis)
        if is_alone(clean):
            return clean
        features = [node for node in unknowns(clean) if node.feature and node.size > 1]
        blind = without_direction(self.weighed()) if features else []
        seeing = [node.size for node in features if node not in blind]
        self.unify(clean, fixed(clean.size))
        if seeing:
            self.notes.append(f"{seeing[0]} features forced to trivial by {self.solver.place}, which {why}")
        return fixed(clean.size)

    def resized(self, axis: Axis, size: int) -> Axis:
        """Pixels of another number along the same coordinate."""
        clean = resolved(axis)
        if clean.size == size:
            return clean
        term = clean.terms[0]
        if len(clean.terms) == len(term) == 1 and isinstance(term[0], Digit):
            return single(Digit(term[0].coordinate, size, term[0].path))
        self.alone(clean, "makes another number of them")
        return fixed(size)

    def squared(self, axis: Axis) -> Axis:
        """The axis of ``u_i w_i`` for two features of type ``axis``."""
        clean = resolved(axis)
        return clean if permutes(clean) else resolved(single(Squared(clean)))

    # -- parameters -------------------------------------------------------------------------------

    def diagonal(self, tensor: torch.Tensor) -> None:
        """The tensor multiplies features entry by entry."""
        for name in self.type_of(tensor).parameters:
            self.uses[name].diagonal = True

    def scaled(self, out: torch.Tensor, tensor: torch.Tensor) -> None:
        """``out`` is the product of features and ``tensor``, which is made from parameters."""
        if self.trained(tensor):
            self._scaled[out] = (tensor, self.type_of(tensor).parameters)

    def contracted(self, x: torch.Tensor, position: int) -> bool:
        """Whether a sum of ``x`` along an axis is a scalar product with a parameter, which then is one vector."""
        tensor, names = self._scaled.get(x, (None, ()))
        back = position % x.ndim - x.ndim
        if tensor is None or -back > tensor.ndim or tensor.shape[back] != x.shape[back]:
            return False
        for name in names:
            self.uses[name].diagonal = False
        return True

    def paired(self, tensor: torch.Tensor) -> None:
        """The last axis of the tensor is (Re, Im)."""
        for name in self.type_of(tensor).parameters:
            self.uses[name].pairs = True

    def trained(self, tensor: torch.Tensor) -> bool:
        """Whether a constant is made from parameters, which projection can make invariant; buffers stay as they are."""
        return bool(self.parameters_of(self.type_of(tensor)))

    def parameters_of(self, kind: TensorType) -> tuple[str, ...]:
        """The parameters that a constant was made from, buffers left out."""
        return tuple(name for name in kind.parameters if name not in self.buffers)

    def statistic(self, tensor: torch.Tensor) -> None:
        """The tensor is a running statistic of a norm layer."""
        name = self.names.get(id(tensor))
        if name in self.uses:
            self.uses[name].statistic = True

    def output(self, tensor: torch.Tensor, axis: int) -> None:
        """The tensor is a weight whose outputs are on ``axis``."""
        name = self.names.get(id(tensor))
        if name in self.uses:
            self.uses[name].output = axis

    # -- elementwise ------------------------------------------------------------------------------

    def aligned(self, out: torch.Tensor, values: Sequence[object]) -> list[list[tuple[torch.Tensor, Axis]]]:
        """For each axis of ``out`` the tensors among ``values`` that have it, with their axes; broadcast ones not.

        Nor those that were expanded along it, unless all were: their entries are equal there, whatever the type.
        """
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        found = []
        for position in range(-out.ndim, 0):
            having = [
                tensor
                for tensor in tensors
                if -position <= tensor.ndim and tensor.shape[position] == out.shape[position]
            ]
            row = [
                (tensor, self.axes(tensor, squares=True)[position])
                for tensor in [tensor for tensor in having if not _expanded(tensor, position)] or having
            ]
            row.sort(key=lambda pair: not self.dynamic(pair[0]))
            found.append(row)
        return found


def _expanded(tensor: torch.Tensor, position: int) -> bool:
    """Whether one entry stands for all along an axis."""
    return tensor.shape[position] > 1 and tensor.layout is torch.strided and tensor.stride(position) == 0


__all__ = ["Axes", "ConflictError", "Context", "ParameterUse", "TensorType", "Typed"]
