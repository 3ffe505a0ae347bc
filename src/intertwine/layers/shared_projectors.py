"""The projectors of one call of ``bind``: equal types share one, and errors name the entry of ``types``."""

from collections.abc import Callable, Hashable, Sequence

from intertwine._arguments import check_instance, kernel_sides
from intertwine.errors import IntertwineError
from intertwine.layers.channels.broadcast import broadcast_projector
from intertwine.projectors import Projector
from intertwine.projectors.axes.folds import fold_axes
from intertwine.projectors.diagonal import diagonal_projector
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.kernels.kernel import kernel_projector
from intertwine.projectors.kernels.steerable import Rings
from intertwine.representations import Representation

Axes = tuple[Representation | None, ...]


class SharedProjectors:
    """Builds projectors and keeps them, for as long as one model is being typed."""

    def __init__(self) -> None:
        self._built: dict[Hashable, Projector] = {}

    def tensor(self, argument: str, axes: Axes, shape: tuple[int, ...] | None = None) -> Projector:
        """``projector(axes=axes, shape=shape)``, the shape only where axes are folded."""
        folded = None if shape is None or len(shape) == len(axes) else shape

        def build() -> Projector:
            return tensor_projector(axes, folds=None if folded is None else fold_axes(axes, folded))

        return self._shared((axes, folded), argument, build)

    def kernel(
        self,
        argument: str,
        axes: Axes,
        kernel: Sequence[int],
        space: Representation | None,
        kernel_basis: object,
        rings: Rings | None,
    ) -> Projector:
        """``projector(axes=axes, kernel=kernel, ...)``; a basis is the same if it is the same object."""
        if rings is not None:
            check_instance(f"{argument}.rings", rings, Rings, "intertwine.Rings(radii, widths, band), or None")
        basis = None if kernel_basis is None else id(kernel_basis)
        key = (axes, tuple(kernel), space, basis, rings)
        return self._shared(
            key,
            argument,
            lambda: kernel_projector(axes, kernel_sides(tuple(kernel)), space, kernel_basis, rings),
        )

    def diagonal(self, argument: str, rep: Representation, shape: tuple[int, ...]) -> Projector:
        """``diagonal_projector(rep, shape=shape)``."""
        return self._shared(("diagonal", rep, shape), argument, lambda: diagonal_projector(rep, shape=shape))

    def broadcast(self, argument: str, rep: Representation, over: Representation) -> Projector:
        """``broadcast_projector(rep, over)``."""
        return self._shared(("broadcast", rep, over), argument, lambda: broadcast_projector(rep, over))

    def _shared(self, key: Hashable, argument: str, build: Callable[[], Projector]) -> Projector:
        # Projectors of rank 0 are told of with the parameter's name, by ``bind``.
        if key not in self._built:
            try:
                self._built[key] = build()
            except IntertwineError as error:
                raise type(error)(
                    f"{argument} ({error.argument})", expected=error.expected, got=error.got, advice=error.advice
                ) from error
        return self._built[key]
