"""A function asked by values: what it gives of its arguments, and of moved ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine._numerics import TOLERANCES
from intertwine.tracing.acting import Motion, can_act
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import leaves
from intertwine.tracing.models.value_trees import children, rebuilt
from intertwine.tracing.normal_form import resolved
from intertwine.tracing.types.tensor_type import TensorType
from intertwine.tracing.whole.branches import DRAWS, Reading

# Values that ought to be equal differ by rounding, by at most so many tolerances of their dtype.
MARGIN = 20
UNTYPED = "its arguments are of no type that the group acts on"
# What a function may raise on arguments that it did not expect.
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError, AssertionError, KeyError)


@dataclass(frozen=True, eq=False)
class Batch:
    """What a function gave.

    Attributes:
        outs: of some arguments, each tensor of it.
        moved: for each element of the group, of the moved arguments.
    """

    outs: list[torch.Tensor]
    moved: list[list[torch.Tensor]]


@dataclass(frozen=True, eq=False)
class Asked:
    """A call of a function.

    Attributes:
        function: that was called.
        args: with these arguments.
        kwargs: and these.
        kinds: types of the tensors among them, in order.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    kinds: Sequence[TensorType]

    def batches(self, motions: Sequence[Motion]) -> list[Batch] | str:
        """What it gives of its arguments, and of others of the same range; why it cannot be asked, in words.

        Others are drawn once, or many times where Python reads values, which may decide what is done.
        """
        if any(kind.dynamic and (kind.piece or not can_act(kind.axes)) for kind in self.kinds):
            return UNTYPED
        own = leaves(self.args, self.kwargs)
        found: list[Batch] = []
        reads = False
        for draw in range(1 + DRAWS):
            if draw > 1 and not reads:
                break
            pairs = enumerate(self._pairs(own))
            given = [_like(x, i + 100 * (draw - 1)) if draw and kind.dynamic else x for i, (x, kind) in pairs]
            try:
                with Reading() as reading:
                    outs = self._of(given)
                reads |= reading.seen
                again = self._of(given)
                moved = [self._of([_moved(motion, x, kind) for x, kind in self._pairs(given)]) for motion in motions]
            except CannotActError:
                return UNTYPED
            except REFUSALS as error:
                if not found:
                    return f"it fails on moved arguments: {type(error).__name__}"
                continue
            if not all(map(close, outs, again)):
                return "it gives other values each time"
            found.append(Batch(outs, moved))
        return found

    def results(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor] | None:
        """What it gives of several values of its one tensor.

        None if it fails, gives others each time, or hands values to Python, so that a few of them tell nothing.
        """
        try:
            with Reading() as reading:
                found = [self._of([value])[0] for value in (*values, values[0])]
        except (*REFUSALS, NotImplementedError):
            return None
        return found[:-1] if close(found[-1], found[0]) and not reading.seen else None

    def turned(
        self, group: Sequence[tuple[int, int]], matrix: torch.Tensor
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]] | None:
        """What it gives, and what with a matrix along some axes of its arguments; None if it fails or reads values."""
        given = leaves(self.args, self.kwargs)
        moved = list(given)
        for argument, axis in group:
            moved[argument] = along(moved[argument], axis, matrix)
        try:
            with Reading() as reading:
                found = self._of(given), self._of(moved)
        except (*REFUSALS, NotImplementedError):
            return None
        return None if reading.seen else found

    def _pairs(self, tensors: Sequence[torch.Tensor]) -> list[tuple[torch.Tensor, TensorType]]:
        return list(zip(tensors, self.kinds, strict=True))

    def _of(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        left = iter(tensors)
        args, kwargs = with_tensors((self.args, self.kwargs), lambda _: next(left).clone())
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            out = self.function(*args, **kwargs)
            return leaves(args[:1] if out is None else out)  # x[i] = y gives what it writes into


def with_tensors(value: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """``value`` with ``function`` of every tensor in it, in order; other things are kept as they are."""
    if isinstance(value, torch.Tensor):
        return function(value)
    parts = children(value)
    if parts is None or not leaves(value):
        return value
    return rebuilt(value, {key: with_tensors(part, function) for key, part in parts.items()})


def _moved(motion: Motion, x: torch.Tensor, kind: TensorType) -> torch.Tensor:
    return motion(x, [resolved(axis) for axis in kind.axes]) if kind.dynamic else x


def _like(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Random numbers between the least and the largest that came up; other dtypes stay as they are."""
    if not x.is_floating_point() or not x.numel():
        return x
    low, high = float(x.detach().min()), float(x.detach().max())
    if not -1e30 < low < high < 1e30:
        return x
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x)
    return low + (high - low) * share


def along(x: torch.Tensor, axis: int, matrix: torch.Tensor) -> torch.Tensor:
    """A matrix along one axis; one that permutes, of whole numbers too."""
    if x.is_floating_point() or x.is_complex():
        return (x.detach().movedim(axis, -1) @ matrix.T.to(x.device, x.dtype)).movedim(-1, axis)
    return x.index_select(axis, matrix.argmax(1).to(x.device))


def close(one: torch.Tensor, two: torch.Tensor) -> bool:
    """Whether two results are equal to rounding."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    if not (one.is_floating_point() or one.is_complex()):
        return bool((one == two).all())
    one, two = one.detach(), two.detach()
    size = float(torch.linalg.vector_norm(two))
    return float(torch.linalg.vector_norm(one - two)) <= MARGIN * TOLERANCES.get(one.dtype, 1e-5) * size
