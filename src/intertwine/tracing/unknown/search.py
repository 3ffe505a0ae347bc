"""The search for the action behind a function without a rule: pixels, waves, irreps, signed permutations."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.errors import IntertwineError
from intertwine.groups import Group
from intertwine.tracing.acting import Motion, can_act
from intertwine.tracing.axes import Axis, fixed
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.models.evaluating import evaluating
from intertwine.tracing.models.value_trees import copied
from intertwine.tracing.normal_form import carried, is_alone, resolved
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.types.tensor_type import TensorType
from intertwine.tracing.unknown.asked import Asked, Batch, close
from intertwine.tracing.unknown.candidates import Choice, Source, axis_of, choices, representations
from intertwine.tracing.unknown.signed_permutations import AlikeError, signed_permutation
from intertwine.tracing.whole.seams import Seams

# So many combinations of the choices for all axes are tried, and so many for the others where one is searched.
COMBINATIONS, BESIDE = 256, 24
# Longer axes are not searched for permutations.
MAX_ROWS = 4096


@dataclass(frozen=True, eq=False)
class FoundAction:
    """The action behind a call.

    Attributes:
        outputs: for each tensor that it gives a choice an axis.
        inputs: the types for which it was found.
        how: in words.
    """

    outputs: tuple[tuple[Choice, ...], ...]
    inputs: tuple[tuple[Axis, ...], ...]
    how: str

    @property
    def pinned(self) -> bool:
        """Whether it holds for these types of the arguments only."""
        return not all(isinstance(choice, Source) for axes in self.outputs for choice in axes)


@dataclass
class Searched:
    """What a search found: actions, and why there is none, by the number of the call."""

    found: dict[int, FoundAction] = field(default_factory=dict)
    verified: set[int] = field(default_factory=set)
    missed: dict[int, str] = field(default_factory=dict)


class Search:
    """Asks every call whose type is proposed only.

    Args:
        group: that acts.
        motions: elements of it, its discrete generators first.
        calls: of the typed run.
    """

    def __init__(self, group: Group, motions: Sequence[Motion], calls: Sequence[TypedCall]) -> None:
        self._group, self._motions = group, motions
        self._calls = {call.place.index: call for call in calls if call.rule in ("proposal", "found") and call.dynamic}
        self.result = Searched()

    def run(self, model: nn.Module, example: Any, seams: Seams, *, gradients: bool) -> Searched:
        """Run the model once more and ask."""
        watch = Watch(model, self._call, seams)
        with evaluating(model):
            given = copied(example)
            with torch.set_grad_enabled(gradients), watch.watching():
                run(model, given)
        return self.result

    def _call(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        typed = self._calls.get(place.index)
        if (
            typed is not None
            and typed.place.function == place.function
            and not typed.mutates
            and typed.shapes == [tuple(tensor.shape) for tensor in leaves(args, kwargs)]
        ):
            self._ask(typed, function, args, kwargs)
        return function(*args, **kwargs)

    def _ask(
        self, typed: TypedCall, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        result, index = self.result, typed.place.index
        taken = dict.fromkeys(name for kind in typed.inputs for name in kind.parameters)
        if taken:
            result.missed[index] = f"takes {', '.join(taken)}, whose type is open with it"
            return
        batches = Asked(function, args, kwargs, typed.inputs).batches(self._motions)
        if isinstance(batches, str):
            result.missed[index] = batches
            return
        outputs: list[tuple[Choice, ...]] = []
        how: list[str] = []
        for number, kind in enumerate(typed.outputs):
            if can_act(kind.axes) and fits(self._motions, batches, number, kind.axes):
                outputs.append(tuple(resolved(axis) for axis in kind.axes))
                continue
            one = _One(self._group, self._motions, batches, number, typed.inputs)
            found = one.search()
            if found is None:
                result.missed[index] = one.why or f"no action of {self._group} was found behind its values"
                return
            outputs.append(found)
            how.append(one.how)
        if not how:
            result.verified.add(index)
            return
        inputs = tuple(tuple(resolved(axis) for axis in kind.axes) for kind in typed.inputs)
        result.found[index] = FoundAction(tuple(outputs), inputs, " and ".join(dict.fromkeys(how)))


def fits(motions: Sequence[Motion], batches: Sequence[Batch], number: int, axes: Sequence[Axis]) -> bool:
    """Whether a result of this type moves as the arguments do."""
    clean = [resolved(axis) for axis in axes]
    try:
        return all(
            close(moved[number], motion(batch.outs[number], clean))
            for batch in batches
            for motion, moved in zip(motions, batch.moved, strict=True)
        )
    except CannotActError:
        return False


class _One:
    """The search for the type of one result."""

    def __init__(
        self,
        group: Group,
        motions: Sequence[Motion],
        batches: Sequence[Batch],
        number: int,
        kinds: Sequence[TensorType],
    ) -> None:
        self._group, self._motions, self._batches, self._number = group, motions, batches, number
        self._kinds = kinds
        self._shape = tuple(batches[0].outs[number].shape)
        self._choices = [choices(position, self._shape, kinds) for position in range(len(self._shape))]
        self.how, self.why = "", ""

    def search(self) -> tuple[Choice, ...] | None:
        """A choice an axis; None if nothing fits, and then ``why`` may say more."""
        for chosen in self._combinations(COMBINATIONS):
            if self._fits(chosen):
                self.how = "by lengths"
                return chosen
        # Features first; samples last, which arguments leave alone at the same place.
        places = sorted(range(len(self._shape)), key=lambda position: (self._is_left_alone(position), -position))
        for position in places:
            found = self._representation(position, self._shape[position])
            if found is not None:
                return found
        for position in places:
            found = self._permutation(position) if 1 < self._shape[position] <= MAX_ROWS else None
            if found is not None:
                return found
        return None

    def _is_left_alone(self, position: int) -> bool:
        first = self._choices[position][0]
        return isinstance(first, Source) and is_alone(axis_of(first, self._kinds))

    def _combinations(self, count: int, position: int | None = None) -> Iterator[tuple[Choice, ...]]:
        options = [
            list(enumerate(found if place != position else found[:1])) for place, found in enumerate(self._choices)
        ]
        ordered = sorted(product(*options), key=lambda chosen: sum(rank for rank, _ in chosen))
        return (tuple(choice for _, choice in chosen) for chosen in islice(ordered, count))

    def _axes(self, chosen: Sequence[Choice]) -> list[Axis]:
        return [axis_of(choice, self._kinds) for choice in chosen]

    def _fits(self, chosen: Sequence[Choice]) -> bool:
        return fits(self._motions, self._batches, self._number, self._axes(chosen))

    def _representation(self, position: int, size: int) -> tuple[Choice, ...] | None:
        """Representations of the dimension that an axis has."""
        for beside in self._combinations(BESIDE, position):
            for rep in representations(self._group, size, self._kinds):
                chosen = (*beside[:position], carried(rep), *beside[position + 1 :])
                if self._fits(chosen):
                    self.how = f"as {rep}, of the dimension that is there"
                    return chosen
        return None

    def _permutation(self, position: int) -> tuple[Choice, ...] | None:
        """A signed permutation along an axis, by the values of two batches."""
        if len(self._group.lie_algebra) or len(self._batches) < 2:
            return None
        for beside in self._combinations(BESIDE, position):
            try:
                images = self._images(position, beside)
            except CannotActError:
                continue
            except AlikeError as alike:
                self.why = f"a permutation of what it gives along axis {position} is ambiguous: {alike}"
                continue
            if images is None:
                continue
            try:
                rep = self._group.permutation(images[0], signs=images[1])
            except IntertwineError:  # it is no action
                continue
            chosen = (*beside[:position], carried(rep), *beside[position + 1 :])
            if self._fits(chosen):
                self.how = f"as a signed permutation of {rep.dim} entries, by values"
                return chosen
        return None

    def _images(self, position: int, beside: Sequence[Choice]) -> tuple[Array, Array] | None:
        axes = self._axes(beside)
        axes[position] = fixed(self._shape[position])
        images, signs = [], []
        for number, motion in enumerate(self._motions):
            rows, moved = [], []
            for batch in self._batches:
                rows.append(_rows(motion(batch.outs[self._number], axes), position))
                moved.append(_rows(batch.moved[number][self._number], position))
            if rows[0].is_complex() or any(one.shape != two.shape for one, two in zip(rows, moved, strict=True)):
                return None
            found = signed_permutation(torch.cat(moved, 1), torch.cat(rows, 1))
            if found is None:
                return None
            images.append(found[0])
            signs.append(found[1])
        return np.stack(images), np.stack(signs)


def _rows(x: torch.Tensor, position: int) -> torch.Tensor:
    return x.movedim(position, 0).reshape(x.shape[position], -1)
