"""Representations in the notation of other libraries, recognised by duck typing; none of them is imported."""

from typing import Any

from intertwine._arguments import integer
from intertwine.errors import ArgumentError
from intertwine.groups.adapters.escnn import escnn_representation, is_escnn
from intertwine.groups.adapters.metatensor import is_metatensor, metatensor_representation
from intertwine.groups.o3 import O3
from intertwine.groups.so3 import SO3
from intertwine.representations import AbstractGroup, Representation, Segment
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.segment import Layout

ACCEPTED = (
    "a Representation, e3nn Irreps, cuEquivariance Irreps or IrrepsAndLayout, a metatensor TensorMap or Labels, or an "
    "escnn FieldType or Representation"
)


def as_representation(value: object, argument: str = "rep") -> Representation:
    """``value`` as a Representation: features and matrices are those of the library that it comes from.

    * e3nn ``Irreps`` and ``Irrep``: irreps of O(3); names, basis and layout are ours.
    * cuEquivariance ``Irreps``, ``IrrepsAndLayout`` and irreps of ``O3`` and ``SO3``: the basis is ours too.
      ``IrrepsAndLayout`` carries its layout; ``Irreps`` alone carry none and are taken as ``mul_ir``, e3nn's layout.
    * metatensor ``TensorMap`` and ``Labels`` with o3_lambda and o3_sigma: irreps of O(3) in the basis ``"z-axis"``, see
      ``metatensor_representation``.
    * escnn ``FieldType`` and ``Representation``: the same matrices, see ``escnn_representation``.

    Args:
        value: any of these, or a Representation, which is returned as it is.
        argument: its name in an error.

    Raises:
        ArgumentError: none of these, or of a group that has no counterpart here (SU(2)).

    Source:
        Own; what each library's documentation says, and its numbers (docs/guide/whose-harmonics.md).

    Examples:
        >>> from intertwine import as_representation
        >>> from e3nn.o3 import Irreps
        >>> as_representation(Irreps("8x0e + 4x1o"))
        Representation(O(3): 8x0e + 4x1o)
    """
    if isinstance(value, Representation):
        return value
    if isinstance(value, str):
        raise ArgumentError(
            argument,
            expected=ACCEPTED,
            got=repr(value),
            advice="A string needs a group: use G.irreps(...), as in iw.SO(3).irreps('8x0 + 4x1').",
        )
    if isinstance(value, AbstractGroup):
        raise ArgumentError(
            argument,
            expected=ACCEPTED,
            got=f"the group {value}",
            advice="Make a representation with it, as in G.regular() or 8 * G.standard().",
        )
    if is_escnn(value):
        return escnn_representation(value, argument)
    if is_metatensor(value):
        return metatensor_representation(value, argument)
    if hasattr(value, "irreps") and hasattr(value, "layout"):
        return _from_irreps(value.irreps, argument, _layout(value.layout, argument))
    if _is_irrep(value):
        return _from_irreps([(1, value)], argument, "mul_ir")
    if _is_irreps(value):
        return _from_irreps(value, argument, "mul_ir")
    raise ArgumentError(
        argument,
        expected=ACCEPTED,
        got=f"{type(value).__name__}",
        advice="Make one with a group, as in iw.SO(3).irreps('8x0 + 4x1').",
    )


def _is_irrep(value: Any) -> bool:
    """Whether ``value`` looks like an irrep of O(3) (l and p), SO(3) (l) or SU(2) (j): a degree and a dimension."""
    return (hasattr(value, "l") or hasattr(value, "j")) and hasattr(value, "dim")


def _is_irreps(value: Any) -> bool:
    """Whether ``value`` looks like a list of (multiplicity, irrep): the class says so, or every item does."""
    if type(value).__name__ == "Irreps":
        return True
    if not isinstance(value, tuple | list) or not value:
        return False
    return all(isinstance(item, tuple | list) and len(item) == 2 and _is_irrep(item[1]) for item in value)


def _layout(value: Any, argument: str) -> Layout:
    """``"mul_ir"`` or ``"ir_mul"`` from cuEquivariance's enumeration, which names its members so."""
    name = getattr(value, "name", value)
    if name == "mul_ir":
        return "mul_ir"
    if name == "ir_mul":
        return "ir_mul"
    raise ArgumentError(f"{argument}.layout", expected="mul_ir or ir_mul", got=repr(value))


def _from_irreps(value: Any, argument: str, layout: Layout) -> Representation:
    """A sum of (multiplicity, irrep) of O(3) or SO(3): all libraries with this notation have e3nn's real basis."""
    try:
        items = [(mul, irrep) for mul, irrep in value]
    except (TypeError, ValueError):
        got = f"{type(value).__name__}, whose items are none"
        raise ArgumentError(argument, expected="irreps as (multiplicity, irrep) pairs", got=got) from None
    pairs = [(integer(f"{argument}: multiplicity", mul, 0), irrep) for mul, irrep in items]
    group: O3 | SO3
    empty = getattr(getattr(value, "irrep_class", None), "__name__", "O3")
    kinds = {_kind(irrep, argument) for _, irrep in pairs} or {empty}
    if len(kinds) > 1:
        raise ArgumentError(argument, expected="irreps of one group", got=f"irreps of {' and '.join(sorted(kinds))}")
    kind = kinds.pop()
    if kind == "SU2":
        raise ArgumentError(
            argument,
            expected="irreps of O(3) or SO(3)",
            got="irreps of SU(2)",
            advice="For integer j take cue.SO3 irreps of the same number; for half-integer j give an iw.MatrixGroup.",
        )
    group = SO3() if kind == "SO3" else O3()
    segments = [Segment(mul, IrrepField(group, _label(group, irrep, argument)), layout) for mul, irrep in pairs]
    return Representation(group, tuple(segments))


def _kind(irrep: Any, argument: str) -> str:
    """``"O3"``, ``"SO3"`` or ``"SU2"``, by what the irrep has: l and p, l alone, or j."""
    if hasattr(irrep, "j"):
        return "SU2"
    if not hasattr(irrep, "l"):
        raise ArgumentError(
            argument,
            expected="irreps with l (and p), of O(3) or SO(3)",
            got=f"an irrep {irrep!r} of type {type(irrep).__name__}",
        )
    return "O3" if hasattr(irrep, "p") else "SO3"


def _label(group: O3 | SO3, irrep: Any, argument: str) -> str:
    degree = integer(f"{argument}: l", irrep.l, 0)
    if isinstance(group, SO3):
        return str(degree)
    if irrep.p not in (1, -1):
        raise ArgumentError(f"{argument}: p", expected="the parity 1 (even) or -1 (odd)", got=repr(irrep.p))
    return f"{degree}{'e' if irrep.p == 1 else 'o'}"
