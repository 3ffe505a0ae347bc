"""Which of a tensor's own axes each representation spans: an image table (H, W, D) carries a grid on its first two."""

from collections.abc import Sequence

from intertwine._arguments import is_integer
from intertwine.errors import ArgumentError, ShapeError
from intertwine.representations import Representation

Folds = tuple[tuple[int | None, ...], ...]


def fold_axes(reps: Sequence[Representation | None], shape: object, argument: str = "shape") -> Folds:
    """The sides of ``shape`` that each representation spans, in order; None spans one axis, of any length.

    A representation takes axes until their product is its dimension. Axes of length 1 go with a neighbour where no
    representation wants them.

    Raises:
        ArgumentError: ``shape`` is no tuple of lengths (None where there is no representation).
        ShapeError: the products do not come out.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> fold_axes((G.grid(3, 3), 2 * G.regular()), (1, 9, 8)), fold_axes((G.grid(3, 3), None), (3, 3, None))
        (((1, 9), (8,)), ((3, 3), (None,)))
    """
    if not isinstance(shape, Sequence) or not all(n is None or is_integer(n) for n in shape):
        raise ArgumentError(argument, expected="a tuple with the length of each axis", got=repr(shape)[:80])
    folds: list[tuple[int | None, ...]] = []
    position = 0
    for rep in reps:
        start, product = position, 1
        if rep is None:
            position += 1
        else:
            while position < len(shape) and (position == start or product < rep.dim):
                product *= -1 if shape[position] is None else shape[position]
                position += 1
        if position > len(shape) or (rep is not None and product != rep.dim):
            raise _misfit(reps, shape, argument)
        folds.append((None,) if rep is None else tuple(shape[start:position]))
    rest = tuple(shape[position:])
    if any(n != 1 for n in rest) or (rest and reps[-1] is None):
        raise _misfit(reps, shape, argument)
    return (*folds[:-1], folds[-1] + rest) if folds else ()


def _misfit(reps: Sequence[Representation | None], shape: Sequence[int | None], argument: str) -> ShapeError:
    dims = ", ".join("any" if rep is None else str(rep.dim) for rep in reps)
    names = ", ".join(map(str, reps))
    return ShapeError(
        argument,
        expected=f"axes whose lengths multiply, in order, to the dimensions ({dims}), from {names}",
        got=f"shape {tuple(shape)}",
        advice="Axes come in the tensor's own order.",
    )
