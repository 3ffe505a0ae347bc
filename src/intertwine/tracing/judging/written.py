"""What is written into a part of a tensor changes the whole: the whole is judged, whatever the part is a view of."""

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import TypedCall, memory_of
from intertwine.tracing.checking.distance import distance
from intertwine.tracing.context import TensorType
from intertwine.tracing.judging.images import Images

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass
class Whole:
    """A tensor that was first where it lies.

    Attributes:
        of: the tensor, as long as it is there.
        kind: its type.
        dynamic: whether it depends on the input by now.
    """

    of: "weakref.ref[torch.Tensor]"
    kind: TensorType
    dynamic: bool


class Wholes:
    """The tensors of a run by where they lie, so that what is written through a view, or beside it, is seen."""

    def __init__(self) -> None:
        self._at: dict[int, Whole] = {}

    def note(self, tensors: Iterable[torch.Tensor], kinds: Iterable[TensorType]) -> None:
        """Tensors with their types."""
        for tensor, kind in zip(tensors, kinds, strict=False):
            at = memory_of(tensor)
            known = self._at.get(at)
            held = None if known is None else known.of()
            if known is not None and held is tensor:
                known.kind, known.dynamic = kind, kind.dynamic or known.dynamic
            elif held is None and at and tensor._base is None:
                self._at[at] = Whole(weakref.ref(tensor), kind, kind.dynamic)

    def behind(self, part: torch.Tensor) -> Whole | None:
        """The whole of which another tensor is a part; None if it is one itself, or none is known."""
        known = self._at.get(memory_of(part))
        held = None if known is None else known.of()
        return None if held is None or held is part else known


def written(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor:
    """What a call writes into."""
    found: torch.Tensor = kwargs["out"] if isinstance(kwargs.get("out"), torch.Tensor) else args[0]
    return found


class Parts:
    """The whole moved by each element, and in each the part that a call is about to write into.

    Args:
        whole: that is written into.
        typed: the call.
        arguments: of it.
        images: of its run.

    Attributes:
        blind: why what could not be judged.
        kept: whether the group acts on the whole only through the call.
    """

    def __init__(self, whole: Whole, typed: TypedCall, arguments: Arguments, images: Images) -> None:
        self._whole, self._typed, self._images = whole, typed, images
        self._opened: list[tuple[torch.Tensor, torch.Tensor] | None] = []
        self.blind: list[str] = []
        self.kept = False
        for number in range(images.count):
            try:
                self._opened.append(_opened(whole, written(*arguments), number, images))
            except CannotActError as error:
                self._opened.append(None)
                self.blind.append(f"{typed.place}: {error}")

    def error(
        self, function: Callable[..., Any], moved: Sequence[Arguments | None], scale: Sequence[torch.Tensor]
    ) -> float:
        """How far the moved wholes, written into, are from the images of what the whole is now."""
        own, worst = self._whole.of(), 0.0
        if own is None:
            return 0.0
        self._images.forget(own)
        self._whole.dynamic = True
        for number, (pair, part) in enumerate(zip(moved, self._opened, strict=True)):
            if pair is None or part is None:
                continue
            try:
                _write(function, part[1], *pair)
                image = self._images.of(number, own, self._whole.kind)
                worst = max(worst, distance(part[0], image, [own, *scale]))
            except CannotActError:
                self._images.keep(number, own, part[0])
                self.kept = True
            except RuntimeError as error:
                self.blind.append(f"{self._typed.place}: {error}")
        return worst


def _write(function: Callable[..., Any], part: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if isinstance(kwargs.get("out"), torch.Tensor):
        function(*args, **{**kwargs, "out": part})
    else:
        function(part, *args[1:], **kwargs)


def _opened(whole: Whole, part: torch.Tensor, number: int, images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    """The whole moved, and in it the part.

    Raises:
        CannotActError: the whole cannot be moved, or the part has no place in it.
    """
    own = whole.of()
    if own is None:
        raise CannotActError("a part of nothing")
    image = images.image(number, own, whole.kind) if whole.dynamic else own
    moved = torch.empty_like(own)
    if image.shape != own.shape or own.dtype != part.dtype or moved.stride() != own.stride():
        raise CannotActError("what it writes into has no place of its own in the moved whole")
    moved.copy_(image)
    first = part.storage_offset() - own.storage_offset()
    return moved, moved.as_strided(part.shape, part.stride(), first)
