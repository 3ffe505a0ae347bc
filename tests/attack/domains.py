"""Values that an argument cannot take, drawn by kind: what is junk for one kind may be right for another."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import intertwine as iw

C4, D4, SO3 = iw.Cyclic(4), iw.Dihedral(4), iw.SO(3)

Make = Callable[[], Any]

# tag -> values that carry it. A domain names the tags that are right for it; all others are wrong.
JUNK: dict[str, tuple[Make, ...]] = {
    "none": (lambda: None,),
    "bool": (lambda: True, lambda: False),
    "negative": (lambda: -1, lambda: -7, lambda: -(2**70)),
    "zero": (lambda: 0,),
    "positive": (lambda: 1, lambda: 3),
    "huge": (lambda: 2**70,),
    "fraction": (lambda: 0.5,),
    "float": (lambda: 1.5, lambda: -2.5),
    "nan": (lambda: math.nan,),
    "infinity": (lambda: math.inf, lambda: -math.inf),
    "complex": (lambda: 1j,),
    "text": (lambda: "q", lambda: "", lambda: "regular", lambda: "0 + ", lambda: "\x00", lambda: "é" * 50),
    "bytes": (lambda: b"x",),
    "empty": (list, tuple, dict, set),
    "list": (lambda: [1], lambda: [[1, 2], [3]], lambda: ["a"], lambda: [None], lambda: (1, 2, 3), lambda: [[[1.0]]]),
    "dict": (lambda: {"a": 1}, lambda: {3: None}, lambda: {"": -1.0}),
    "object": (object, lambda: iter([1]), lambda: slice(1)),
    "range": (lambda: range(3),),
    "function": (lambda: lambda *_: None, lambda: len),
    "other function": (lambda: lambda: 3, lambda: lambda *, keyword: keyword),
    "class": (lambda: int, lambda: torch.nn.Linear, lambda: iw.Cyclic),
    "array": (lambda: np.zeros(3), lambda: np.array("x"), lambda: np.eye(2, dtype=object)),
    "no rows": (lambda: np.zeros((0, 2)), lambda: torch.zeros(0, 4)),
    "tensor": (
        lambda: torch.zeros(3),
        lambda: torch.full((2, 2), math.nan),
        lambda: torch.zeros(2, 3, 5, 7),
    ),
    "scalar": (lambda: torch.tensor(1.0),),
    "integers": (lambda: torch.zeros(8, 4, dtype=torch.int64), lambda: torch.ones(4, dtype=torch.bool)),
    "sparse": (lambda: torch.eye(4).to_sparse(), lambda: torch.zeros(8, 4).to_sparse()),
    "meta": (lambda: torch.zeros(8, 4, device="meta"), lambda: torch.zeros(2, 4, device="meta")),
    "float8": (lambda: torch.zeros(8, 4).to(torch.float8_e4m3fn), lambda: torch.zeros(4).to(torch.float8_e5m2)),
    "nested": (lambda: torch.nested.nested_tensor([torch.zeros(2, 4), torch.zeros(1, 4)]),),
    "module": (lambda: torch.nn.Linear(3, 2),),
    "identity": (torch.nn.Identity,),
    "group": (lambda: C4, lambda: SO3, lambda: iw.Mirror() * C4),
    "infinite": (lambda: SO3,),
    "rep": (C4.regular, lambda: 3 * C4.trivial()),
    "other rep": (D4.regular, lambda: SO3.irreps("2x1"), lambda: iw.Representation(D4, ())),
    "grid": (lambda: iw.on_grid(C4.regular()), lambda: iw.on_grid(D4.trivial())),
    "projector": (lambda: iw.projector(C4.regular()), lambda: iw.projector(D4.regular(), D4.regular())),
    "generator": (torch.Generator,),
    "path": (lambda: Path("/nowhere/at/all"),),
    "error": (lambda: ValueError("x"),),
}
EVERY = frozenset(JUNK)


@dataclass(frozen=True)
class Domain:
    """A kind of argument: the junk that is right for it, and wrong values of its own."""

    right: frozenset[str] = frozenset()
    wrong: tuple[Make, ...] = ()

    def draw(self, rng: random.Random) -> Any:
        """A wrong value; one in three is of the kind's own."""
        if self.wrong and (rng.random() < 0.35 or self.right >= EVERY):
            return rng.choice(self.wrong)()
        return rng.choice(JUNK[rng.choice(sorted(EVERY - self.right))])()

    def but(self, *right: str) -> "Domain":
        """The same where more is right."""
        return Domain(self.right | set(right), self.wrong)


def of(*right: str, wrong: tuple[Make, ...] = ()) -> Domain:
    """A domain by what is right."""
    return Domain(frozenset(right), wrong)


def _full(*shape: int, value: float = 0.0, dtype: torch.dtype = torch.float32) -> Make:
    return lambda: torch.full(shape, value, dtype=dtype)


def tensor(*shape: int) -> Domain:
    """A floating-point tensor of this shape."""
    wrong = (
        _full(*shape, 1),
        _full(*(n + 1 for n in shape)),
        _full(*shape[:-1]),
        lambda: torch.zeros(shape, dtype=torch.int32),
        lambda: torch.zeros(shape).numpy(),
        lambda: torch.zeros(shape).tolist(),
        lambda: torch.zeros(shape).to(torch.float8_e4m3fn),
    )
    return of(wrong=wrong)


def elements(d: int) -> Domain:
    """An element of a group of d x d matrices."""
    wrong = (
        _full(d, d, value=math.nan),
        _full(d, d, value=0.5),
        lambda: 3 * torch.eye(d),
        lambda: torch.eye(d + 1),
        lambda: torch.eye(d) * 1j,
        lambda: torch.eye(d).to_sparse(),
        lambda: torch.eye(d, device="meta"),
    )
    return of("array", wrong=wrong)  # an identity among them


rep = of("rep")  # of C4, its width being checked by what it meets
trees = of(
    wrong=(
        lambda: {"a": C4.regular()},
        lambda: {"a": C4.regular(), "b": 3},
        lambda: {"a": D4.regular(), "b": C4.regular()},
        lambda: (C4.regular(), C4.regular()),
        lambda: {"sum": (C4.regular(),)},
        lambda: {"a": {}, "b": ()},
        lambda: {"rest": (None, C4.regular())},
    )
)
rep_any = of("rep", "other rep")
group_any = of("group", "infinite")
count = of("positive", wrong=(lambda: np.float64(2.0), lambda: "3"))
count_from_0 = count.but("zero")
strength = of("positive", "zero", "fraction", "float", wrong=(lambda: -1e-9, lambda: {"no such": 1.0}, lambda: [0.1]))
rate = of("fraction", wrong=(lambda: 0.0, lambda: 1.0, lambda: -0.1))
tolerance = of(
    "none", "positive", "zero", "fraction", "float", "huge", "infinity", wrong=(lambda: -1e-3, lambda: math.nan)
)
flag = of("bool")
generator = of("none", "generator", wrong=(lambda: 0, lambda: random.Random(0)))
choice = of(wrong=(lambda: "Squared", lambda: "shifted ", lambda: "none"))
function = of("function", "module", "identity")
action = of("function", "grid")  # on_grid(rep) is one
axis = of("none", "zero", "positive", "negative", wrong=(lambda: 99, lambda: -99, lambda: 1.0, lambda: "a"))
model = of(wrong=(lambda: torch.nn.Linear, torch.nn.ReLU, lambda: torch.nn.LazyLinear(3)))
many_sides = of(wrong=(lambda: (0, 3), lambda: (-3, 3), lambda: (3.0, 3), lambda: "33", lambda: (True, 3)))
sides = of(wrong=(*many_sides.wrong, lambda: (2, 2, 2, 2)))
anything = of(*EVERY)
