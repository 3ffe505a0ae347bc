"""Many small weights at once: one copy, in which P is taken off wherever it is not zero."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from intertwine._numerics import HALF
from intertwine.projectors.constants import Constants
from intertwine.projectors.norms.sorted_entries import sorted_entries
from intertwine.projectors.projector import Projector


def is_joinable(projector: Projector, tensor: torch.Tensor) -> bool:
    """Whether a ``JointMap`` takes this weight: a small one, measured by Frobenius's norm, in full precision."""
    return 0 < tensor.numel() <= projector.joint_entries and tensor.dtype not in HALF


class JointMap:
    """The projectors of several weights as one linear map on all of their entries.

    A small weight's arithmetic takes less time than the calls that its views, blocks and layouts need. Here all weights
    are copied side by side, and the entries that P does not annul are gathered from there, sorted by the component of P
    that they are in: components alike lie side by side as the columns of one matrix X, and ``B B^* X`` is two products
    whatever number of weights, copies and fields they come from. Entries that P leaves alone come last. Of irreps
    these are a few of all entries, and nothing else is touched.

    Args:
        projectors: one a weight; ``is_joinable``.
        shapes: of the weights.
    """

    def __init__(self, projectors: Sequence[Projector], shapes: Sequence[torch.Size]) -> None:
        self._shapes = tuple(shapes)
        self._sizes = [prod(shape) for shape in shapes]
        # Shapes as torch cuts one tensor by in one call, which is not right for those without entries.
        self._templates = [torch.empty(shape, device="meta") for shape in shapes] if all(self._sizes) else None
        entries = sorted_entries(projectors, shapes)
        entries = entries._replace(zero=entries.zero[:0])
        self._segments = []
        end = 0
        for _, columns in entries.kinds:
            self._segments.append((end, end + columns.size, columns.shape))
            end += columns.size
        bases = {f"basis{i}": basis for i, (basis, _) in enumerate(entries.kinds)}
        adjoints = {f"adjoint{i}": np.ascontiguousarray(basis.conj().T) for i, (basis, _) in enumerate(entries.kinds)}
        # 32 bits an index: the weights are small.
        self._constants = Constants(order=entries.order.astype(np.int32), **bases, **adjoints)

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built."""
        return self._constants.nbytes

    def residuals(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """``W - P W`` of all weights, side by side in one tensor, as ``split`` takes it."""
        flat = _side_by_side(tensors)
        return flat.index_add_(0, self._constants.get("order", flat), self._images(flat), alpha=-1)

    def projections(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """``P W``, likewise."""
        flat = _side_by_side(tensors)
        images = self._images(flat)
        return flat.zero_().index_add_(0, self._constants.get("order", flat), images)

    def split(self, image: torch.Tensor) -> list[torch.Tensor]:
        """What ``residuals`` or ``projections`` gave, or a multiple, in the weights' shapes: views of one tensor."""
        if self._templates is not None:
            return list(torch._C._nn.unflatten_dense_tensors(image, self._templates))
        parts = image.split_with_sizes(self._sizes)
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def _images(self, flat: torch.Tensor) -> torch.Tensor:
        """``P W`` where it is not zero, in the order of the components."""
        get = self._constants.get
        images = flat.index_select(0, get("order", flat))
        for i, (start, stop, shape) in enumerate(self._segments):
            X = images[start:stop].view(shape)
            torch.mm(get(f"basis{i}", X), torch.mm(get(f"adjoint{i}", X), X), out=X)
        return images


def _side_by_side(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Contiguous copies in one tensor, in one call; of one tensor that call would give a view."""
    if len(tensors) == 1:
        return tensors[0].clone(memory_format=torch.contiguous_format).view(-1)
    return torch._C._nn.flatten_dense_tensors(list(tensors))


class JointMaps:
    """The joint maps of one model's projectors, built when they are first asked for and kept for the next step.

    Projectors are told apart by identity, for which the maps keep them alive. A copy, or what is unpickled, begins
    empty.
    """

    # Sets of weights in use at a time, such as those of several strengths or learning rates.
    MOST = 16

    def __init__(self) -> None:
        self._maps: dict[Any, tuple[JointMap, tuple[Projector, ...]]] = {}

    def get(self, projectors: Sequence[Projector], tensors: Sequence[torch.Tensor]) -> JointMap:
        """The map for these weights.

        Raises:
            ShapeError: a weight does not fit its projector.
            DtypeError: real weights under a complex representation.
        """
        key = (*map(id, projectors), *[tensor.shape for tensor in tensors], tensors[0].dtype)
        found = self._maps.get(key)
        if found is None:
            for projector, tensor in zip(projectors, tensors, strict=True):
                projector.check(tensor)
            while len(self._maps) >= self.MOST:
                del self._maps[next(iter(self._maps))]
            joint = JointMap(projectors, [tensor.shape for tensor in tensors])
            found = self._maps[key] = joint, tuple(projectors)
        return found[0]

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built: one 32-bit index an entry that P does not annul, and the bases."""
        return sum(joint.nbytes for joint, _ in self._maps.values())

    def __reduce__(self) -> tuple[type["JointMaps"], tuple[()]]:
        return JointMaps, ()
