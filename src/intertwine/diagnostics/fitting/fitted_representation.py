"""What a fit of representations found, as frozen values: by unknown, by weight, and beside chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from intertwine.binding import Binding, bind
from intertwine.diagnostics.equivariance.measured_error import EquivarianceError
from intertwine.errors import ArgumentError, listing
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.policy import HiddenByUnknown


@dataclass(frozen=True)
class FittedUnknown:
    """The representation of features that no constraint types.

    Attributes:
        made: the place where they come up in the model.
        representation: that they carry.
        kind: ``"permutation"``, ``"signed permutation"`` or ``"orthogonal"``: what functions behind them allow.
        admissible: when each generator assigns channels to channels by itself, by responses, the share of channels on
            cycles whose length divides the generator's order: 1 in an equivariant network.
        admissible_chance: the same on shuffled weights, mean.
        homomorphism_defect: of ``rho(g) rho(h) = rho(gh)``: 0 for permutations.
        orbits: how many orbits of channels of each size; empty for orthogonal matrices.

    Examples:
        >>> import intertwine as iw
        >>> FittedUnknown("0: conv2d", 2 * iw.Cyclic(4).regular(), "permutation", 1.0, 0.2, 0.0, {4: 2}).size
        8
    """

    made: str
    representation: Representation
    kind: str
    admissible: float
    admissible_chance: float | None
    homomorphism_defect: float
    orbits: Mapping[int, int]

    @property
    def size(self) -> int:
        """How many features there are."""
        return self.representation.dim


@dataclass(frozen=True)
class FittedWeight:
    """How far one weight is from equivariant under what was fitted.

    Attributes:
        name: in the model.
        shape: of the tensor.
        residual: ``|W - PW| / |W|`` under the fitted representations.
        chance: the same after the same fit to weights shuffled within filters, mean; None without draws.
        chance_spread: its standard deviation over draws.
        unfitted: the residual with channels in the order in which they lie, under the default representations.
        chance_of_type: what random weights have under the fitted representations, if these are held fixed.

    Examples:
        >>> FittedWeight("0.weight", (8, 1, 3, 3), 0.3, 0.7, 0.05, 0.86, 0.87).below_chance
        8.0
    """

    name: str
    shape: tuple[int, ...]
    residual: float
    chance: float | None
    chance_spread: float | None
    unfitted: float | None
    chance_of_type: float

    @property
    def below_chance(self) -> float | None:
        """How many standard deviations of the draws the residual is below their mean."""
        if self.chance is None or self.chance_spread is None:
            return None
        return (self.chance - self.residual) / max(self.chance_spread, 1e-12)


@dataclass(frozen=True, eq=False)
class FittedRepresentation(HiddenByUnknown):
    """What ``fit_representation`` found; give it to ``bind`` as ``hidden=``, or call ``bind()``.

    Attributes:
        model: that the representations belong to: the given one, or a copy that is the same function, its channels
            rescaled or its heads turned. Bind, train and save this one.
        group: that acts.
        unknowns: hidden representations, in the order in which they come up.
        weights: residuals, in the order of the model.
        error: the network's own ``equivariance_error``, all elements.
        draws: how many times chance was drawn.
        rescaled: places whose channels were multiplied, with the same function.
        turned: weights whose heads were multiplied by orthogonal matrices, likewise.
        notes: what could not be done.
        rep_in: as it was given.
        rep_out: as it was given.
        example: as it was given.

    Examples:
        >>> import intertwine as iw, torch
        >>> G, net = iw.Cyclic(2), torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
        >>> V, x = G.regular(), torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
        >>> _ = iw.bind(net, rep_in=V, rep_out=V, example=x).project_()
        >>> fit = iw.fit_representation(net, x, rep_in=V, rep_out=V, draws=0)
        >>> fit.unknowns[0].orbits, max(weight.residual for weight in fit.weights) < 1e-6
        ({2: 2}, True)
    """

    model: nn.Module
    group: Group
    unknowns: tuple[FittedUnknown, ...]
    weights: tuple[FittedWeight, ...]
    error: EquivarianceError
    draws: int
    rescaled: tuple[str, ...]
    turned: tuple[str, ...]
    notes: tuple[str, ...]
    rep_in: Any
    rep_out: Any
    example: Any

    def representation(self, number: int, size: int, made: str) -> Representation:
        if number >= len(self.unknowns) or self.unknowns[number].size != size:
            have = listing(f"{one.size} at {one.made}" for one in self.unknowns)
            raise ArgumentError(
                "hidden",
                expected=f"a fit to this model, whose unknown {number} has {size} features, made at {made}",
                got=f"one to a model with {have}",
            )
        return self.unknowns[number].representation

    def bind(self, model: nn.Module | None = None, **options: Any) -> Binding:
        """``iw.bind`` under the fitted representations: penalty, decay and projection in the fitted basis.

        Args:
            model: of the same structure; ``self.model`` if None.
            options: as for ``bind``: ``overrides``, ``rules``, ``strict``, ``check``.
        """
        return bind(
            self.model if model is None else model,
            rep_in=self.rep_in,
            rep_out=self.rep_out,
            example=self.example,
            hidden=self,
            **{"group": self.group, **options},
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values, ready for JSON."""
        return {
            "group": str(self.group),
            "error": float(self.error),
            "draws": self.draws,
            "unknowns": [
                {
                    "made": one.made,
                    "size": one.size,
                    "kind": one.kind,
                    "orbits": {str(size): count for size, count in one.orbits.items()},
                    "admissible": one.admissible,
                    "admissible_chance": one.admissible_chance,
                    "homomorphism_defect": one.homomorphism_defect,
                }
                for one in self.unknowns
            ],
            "weights": [{**vars(one), "shape": list(one.shape)} for one in self.weights],
            "rescaled": list(self.rescaled),
            "turned": list(self.turned),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        drawn = f"chance: the same fit to weights shuffled within filters, {self.draws} draws"
        lines = [
            f"{type(self.model).__name__} under {self.group}: error {float(self.error):.2g} as it stands",
            "",
            *_columns(
                ("features", "width", "orbits", "admissible cycles", "defect"),
                [
                    (
                        one.made.partition(" (")[0] or "input",
                        str(one.size),
                        " + ".join(f"{count} of {size}" for size, count in one.orbits.items()) or one.kind,
                        _number(one.admissible) + _beside(one.admissible_chance),
                        f"{one.homomorphism_defect:.0e}" if one.homomorphism_defect else "0",
                    )
                    for one in self.unknowns
                ],
            ),
            "",
            *_columns(
                ("weight", "shape", "residual", "chance of the fit", "as channels lie", "chance of the type"),
                [
                    (
                        one.name,
                        "x".join(map(str, one.shape)),
                        _number(one.residual),
                        _number(one.chance) + ("" if one.chance_spread is None else f" +- {one.chance_spread:.3f}"),
                        _number(one.unfitted),
                        _number(one.chance_of_type),
                    )
                    for one in self.weights
                ],
            ),
            *([drawn] if self.draws else []),
            *(f"multiplied by positive factors, with the same function: {place}" for place in self.rescaled),
            *(f"turned within heads, with the same function: {place}" for place in self.turned),
            *self.notes,
        ]
        return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value >= 5e-4 or value == 0 else f"{value:.0e}"


def _beside(chance: float | None) -> str:
    return "" if chance is None else f" (chance {chance:.2f})"


def _columns(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
