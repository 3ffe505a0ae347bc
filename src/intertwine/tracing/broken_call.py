"""A call that breaks the symmetry, and one entry for those with one cause."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class BrokenCall:
    """A call that does not commute with the group, its weights being equivariant.

    Attributes:
        module: path of the module that it is in.
        function: the torch function.
        source: the line, ``"model.py:55: h = F.silu(h)"``.
        error: ``|f(g x) - g f(x)| / |f(x)|``, the worst over the generators.
        types: of what goes in and comes out.
        reason: why, where that is known.
        also: other calls with the same cause, as a window's mask and the shift back.
        index: number of the call in the run.
    """

    module: str
    function: str
    source: str
    error: float
    types: str
    reason: str = ""
    also: tuple[str, ...] = ()
    index: int = 0

    def __str__(self) -> str:
        where = f"{self.module}: " if self.module else ""
        source = f" ({self.source})" if self.source else ""
        reason = f"; {self.reason}" if self.reason else ""
        also = f"; and {', '.join(self.also)}" if self.also else ""
        return f"{where}{self.function} [measured {self.error:.1e}]: not equivariant {self.types}{source}{reason}{also}"


def grouped(broken: list[BrokenCall]) -> tuple[BrokenCall, ...]:
    """One entry a cause: what breaks inside a module that rolls its pixels belongs to the first roll."""
    found: list[BrokenCall] = []
    for one in broken:
        head = next(
            (i for i, first in enumerate(found) if first.function == "roll" and _inside(one.module, first.module)), None
        )
        if head is None:
            found.append(one)
        else:
            text = f"{one.function} [{one.error:.1e}]" + (f" ({one.source})" if one.source else "")
            found[head] = replace(found[head], also=(*found[head].also, text))
    return tuple(found)


def _inside(inner: str, outer: str) -> bool:
    return bool(outer) and (inner == outer or inner.startswith(f"{outer}."))
