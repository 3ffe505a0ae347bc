"""What an axis of a tensor carries: a direct sum of products of factors, some of them still unknown.

An axis of 197 tokens is ``1 + y:14*x:14``, the channels of a flattened map are ``8xregular*y:5*x:5``, and the output of
a linear layer is an unknown of its width until something says more. Products are in C order, the first outermost.
"""

from dataclasses import dataclass, field, replace
from math import prod

from intertwine.representations import Representation


@dataclass(frozen=True)
class Fixed:
    """``size`` features that the group leaves alone: samples, heads, copies, classes."""

    size: int

    def __str__(self) -> str:
        return str(self.size)


@dataclass(frozen=True)
class Digit:
    """A digit of a coordinate of the pixels, which the group reverses and exchanges with those of other coordinates.

    ``n - 1 - i`` reverses every digit of a number in mixed radix, so that windows and patches are digits too: 56 rows
    in windows of 7 are ``y:8 * y:7``.

    Attributes:
        coordinate: which axis of the pixels, counted in the images' own order.
        size: how many values it has.
        path: which digit of the coordinate, by the halves (0 outer, 1 inner) that it was factored into.
    """

    coordinate: int
    size: int
    path: tuple[int, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{'yxz'[self.coordinate]}:{self.size}"


@dataclass(frozen=True)
class Wave:
    """Wave numbers along a coordinate of the pixels, whose signs the group changes and which it exchanges likewise.

    Attributes:
        coordinate: which axis of the pixels.
        waves: the wave number of each entry, in order, ``-n/2 <= k < n/2``.
        side: how many pixels the coordinate has.
        half: whether those at -k are left out, being conjugates: the last axis of a real transform.
        moduli: whether they are sizes of waves, without phases, so that the group permutes them.
    """

    coordinate: int
    waves: tuple[int, ...]
    side: int = field(compare=False)
    half: bool = False
    moduli: bool = False

    @property
    def size(self) -> int:
        return len(self.waves)

    def __str__(self) -> str:
        return f"k{'yxz'[self.coordinate]}:{self.size}({self.waves[0]}..{self.waves[-1]})"

    def part(self, where: slice) -> "Wave":
        """Some of them."""
        return replace(self, waves=self.waves[where])


@dataclass(frozen=True)
class Carried:
    """Features that carry a known representation."""

    rep: Representation

    @property
    def size(self) -> int:
        return self.rep.dim

    def __str__(self) -> str:
        return f"[{self.rep}]"


@dataclass(eq=False)
class Unknown:
    """Features whose representation is not known yet: a node of the unification.

    Attributes:
        size: how many.
        made: where it came up, in words.
        feature: whether it depends on the model's input: then the policy for hidden features types it, and otherwise
            the group leaves it alone.
        needs: what must be true of its representation, each with the place that asks for it: ``"pointwise"`` (the group
            permutes it), ``"ones"`` (the group fixes the vector of ones).
        bound: what it has been found to be.
        bound_at: where, in words.
    """

    size: int
    made: str = ""
    feature: bool = False
    needs: dict[str, str] = field(default_factory=dict)
    bound: "Axis | None" = None
    bound_at: str = ""

    def __str__(self) -> str:
        return f"?{self.size}"


@dataclass(frozen=True)
class Squared:
    """Products ``u_i w_i`` of two features of one type: where the group does not permute these their sum counts."""

    axis: "Axis"

    @property
    def size(self) -> int:
        return self.axis.size

    def __str__(self) -> str:
        return f"({self.axis})^2"


@dataclass(frozen=True)
class Nested:
    """A direct sum as a factor of a product."""

    axis: "Axis"

    @property
    def size(self) -> int:
        return self.axis.size

    def __str__(self) -> str:
        return f"({self.axis})"


Factor = Fixed | Digit | Wave | Carried | Unknown | Squared | Nested
Term = tuple[Factor, ...]


@dataclass(frozen=True)
class Axis:
    """A direct sum of terms, each a product of factors.

    Examples:
        >>> str(Axis(((Fixed(1),), (Digit(0, 14), Digit(1, 14)))))
        '1 + y:14*x:14'
    """

    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        return sum(term_size(term) for term in self.terms)

    def __str__(self) -> str:
        return " + ".join("*".join(str(factor) for factor in term) for term in self.terms) or "0"

    def __repr__(self) -> str:
        return f"<{self}>"


def single(factor: Factor) -> Axis:
    """An axis of one factor."""
    return Axis(((factor,),))


def bare(axis: Axis) -> Factor | None:
    """The one factor that an axis is; None if it is a sum or a product."""
    return axis.terms[0][0] if len(axis.terms) == len(axis.terms[0]) == 1 else None


def fixed(size: int) -> Axis:
    """An axis that the group leaves alone."""
    return single(Fixed(size))


def term_size(term: Term) -> int:
    """Length of a product."""
    return prod(factor.size for factor in term)
