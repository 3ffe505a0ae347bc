"""How a group acts on what goes into a module and on what comes out, with the options that some modules need."""

from dataclasses import dataclass

from intertwine.projectors.kernels.steerable import Rings
from intertwine.representations import Representation


@dataclass(frozen=True, eq=False)
class Typed:
    """The type of a module for ``bind``: ``Typed(rep_in, rep_out)`` is the pair ``(rep_in, rep_out)``.

    Features whose vector index is on another axis than the channels, as (atoms, 3, channels) or (channels, 3, 3), are
    typed by ``over``: they carry ``rep_in (x) over``, and the layer, which mixes channels alone, is ``W (x) 1``. It is
    equivariant iff W commutes with ``rep_in`` and ``rep_out``; its bias is added to every component alike, so that it
    must be zero unless the group fixes the sum of the components of ``over``.

    Args:
        rep_in: how the group acts on the inputs' channels.
        rep_out: likewise on the outputs'.
        space: convolutions: how it turns the kernel's axes; the group's standard representation if None.
        kernel_basis: convolutions: a basis of one field pair's kernels (n, d_out, d_in, *kernel) to project on.
        rings: convolutions: radial profiles and band limit of steerable kernels.
        hidden: attention: how it acts on the projected queries, keys and values, whole fields in each head; ``rep_in``
            if None.
        rep_key: attention: how it acts on the keys' source where that is not ``rep_in`` (``kdim``).
        rep_value: likewise for the values (``vdim``).
        over: linear layers, convolutions with kernel sides of 1 and norm layers (with ``rep_in`` equal to ``rep_out``):
            how it acts on the other axes that the layer treats alike.

    Source:
        Own; the action on an axis that a layer treats alike is the tensor product with the identity, Serre 1977,
        "Linear representations of finite groups", 1.5.

    Examples:
        >>> import intertwine as iw, torch
        >>> turn = iw.Cyclic(2)
        >>> conv = torch.nn.Conv2d(2, 4, 3)
        >>> left_right = turn.irrep(1) + turn.trivial()  # x changes sign, y does not: what Mirror("x") does by itself
        >>> iw.bind(conv, {"": iw.Typed(turn.regular(), 2 * turn.regular(), space=left_right)})
        Binding(C2, 2 typed, 0 unaccounted)
          weight (4, 2, 3, 3)  2xregular, regular, grid[3x3]  rank 36 of 72
          bias (4,)  2xregular  rank 2 of 4
          space: mirror x -> -x
        >>> G = iw.SO(3)
        >>> vectors = iw.Typed(8 * G.trivial(), 4 * G.trivial(), over=G.irrep(1))  # (atoms, 3, 8) to (atoms, 3, 4)
        >>> iw.bind(torch.nn.Linear(8, 4, bias=False), {"": vectors})
        Binding(SO(3), 1 typed, 0 unaccounted)
          weight (4, 8)  4x0, 8x0  rank 32 of 32
    """

    rep_in: object
    rep_out: object
    space: object = None
    kernel_basis: object = None
    rings: Rings | None = None
    hidden: object = None
    rep_key: object = None
    rep_value: object = None
    over: object = None


# Names of the options that some layers have.
OPTIONS = ("space", "kernel_basis", "rings", "hidden", "rep_key", "rep_value", "over")


@dataclass(frozen=True)
class Ends:
    """How a group acts on what goes into a typed module and what comes out, and on another axis (``over``) of both."""

    rep_in: Representation
    rep_out: Representation
    over: Representation | None = None
