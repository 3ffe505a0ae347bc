"""One fit: the run, the search, the draws of chance, and what is reported of them."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from intertwine.binding import bind
from intertwine.binding.bind import split_rules
from intertwine.binding.measure import Residual
from intertwine.diagnostics.equivariance.equivariance_error import equivariance_error
from intertwine.diagnostics.fitting.chance import chance_fits, turn_heads_
from intertwine.diagnostics.fitting.fitted_representation import FittedRepresentation, FittedUnknown, FittedWeight
from intertwine.diagnostics.fitting.found import Found
from intertwine.diagnostics.fitting.given import Given, RecordedDefault
from intertwine.diagnostics.fitting.heads.runs import Heads
from intertwine.diagnostics.fitting.heads.turnable import turnable
from intertwine.diagnostics.fitting.network import Network
from intertwine.diagnostics.fitting.scalings import rescaled
from intertwine.diagnostics.fitting.search import kinds, search
from intertwine.diagnostics.fitting.symmetries import freedom as freedom_of
from intertwine.errors import ArgumentError
from intertwine.representations import Representation
from intertwine.tracing.axes import Unknown
from intertwine.tracing.ends import EndTypes
from intertwine.tracing.trace import trace

Progress = Callable[[float, str], object]


class Steps:
    """Tells a user's function how far the fit is: the fit itself and each draw count alike."""

    def __init__(self, progress: Progress | None, draws: int) -> None:
        self._progress, self._fits = progress, 1 + draws

    def __call__(self, what: str) -> None:
        if self._progress is None:
            return
        draw = int(what.partition("draw ")[2].partition(":")[0]) if what.startswith("chance") else 0
        share = 1.0 if what == "done" else self._fits / (self._fits + 1) if what == "residuals" else draw / self._fits
        self._progress(min(share, 1.0), what)


class Fit:
    """A traced model whose unknowns are to be fitted; the arguments are those of ``fit_representation``."""

    def __init__(
        self,
        model: nn.Module,
        example: Any,
        given: tuple[Any, Any],
        ends: EndTypes,
        rules: Mapping[Any, Any] | None,
        tell: Steps,
    ) -> None:
        self._model, self._example, self._tell = model, example, tell
        self._group = ends.acting.group
        self._given: dict[str, Any] = {"rep_in": given[0], "rep_out": given[1], "example": example}
        self._rules = rules
        tell("one run of the model")
        default = RecordedDefault(self._group)
        traced = trace(model, ends, example, policy=default, rules=split_rules(rules)[1])
        if not traced.chosen:
            raise ArgumentError(
                "model",
                expected="hidden features whose representation is open",
                got=f"one whose inputs and outputs say all under {self._group}",
                advice="iw.bind types it as it is.",
            )
        self._network = Network.of(traced, model)
        self._default = tuple(default.given)

    def result(
        self, freedom: str, scalings: bool, draws: int, generator: torch.Generator | None
    ) -> FittedRepresentation:
        network, model, tell = self._network, self._model, self._tell
        room = freedom_of(network, model, self._example)
        multiplied: list[Unknown] = []
        notes: list[str] = []
        if scalings:
            tell("factors of channels")
            model, multiplied, refused = rescaled(network, model, self._example, room.factors)
            notes += [f"{node.made}: not multiplied, as the output changed" for node in refused]
        allowed = kinds(network, room, freedom)
        heads: dict[Unknown, Heads] = {}
        if freedom == "orthogonal":
            tell("features within heads")
            heads = turnable(network, model, self._example)
            notes += [text for one in heads.values() for text in one.refused]
            heads = {node: one for node, one in heads.items() if one.sides and not (one.inside and one.refused)}
        found = search(network, model, self._example, allowed, heads, tell)
        seeded = torch.Generator().manual_seed(0) if generator is None else generator
        fits = chance_fits(network, model, self._example, allowed, heads, draws, seeded, tell)
        unturned = model
        if heads:
            model = copy.deepcopy(model)
            turn_heads_(network, model, heads, found)
        tell("residuals")
        notes += [
            f"{node.made}: no orthogonal matrices were found that multiply as {self._group} does; permuted instead"
            for node, one in zip(network.nodes, found, strict=True)
            if not one.converged
        ]
        error = equivariance_error(
            model,
            self._given["rep_in"],
            self._given["rep_out"],
            self._example,
            group=self._group,
            num_samples=self._group.order,
        )
        fit = FittedRepresentation(
            model,
            self._group,
            tuple(self._unknown(i, one, fits) for i, one in enumerate(found)),
            self._weights(model, unturned, found, fits),
            error,
            draws,
            tuple(node.made for node in multiplied),
            tuple(side.where() for one in heads.values() for side in one.sides),
            tuple(notes),
            *self._given.values(),
        )
        tell("done")
        return fit

    def _unknown(self, number: int, found: Found, fits: list[tuple[nn.Module, list[Found]]]) -> FittedUnknown:
        drawn = [others[number].admissible for _, others in fits]
        return FittedUnknown(
            self._network.nodes[number].made,
            found.representation,
            found.kind,
            found.admissible,
            float(np.mean(drawn)) if drawn else None,
            found.defect,
            dict(found.orbits),
        )

    def _weights(
        self, model: nn.Module, unturned: nn.Module, found: list[Found], fits: list[tuple[nn.Module, list[Found]]]
    ) -> tuple[FittedWeight, ...]:
        own = self._residuals(model, [one.representation for one in found])
        drawn = [self._residuals(twin, [one.representation for one in others]) for twin, others in fits]
        unfitted = self._residuals(unturned, list(self._default))
        weights = []
        for name, one in own.items():
            values = [residuals[name].relative_residual for residuals in drawn if name in residuals]
            weights.append(
                FittedWeight(
                    name,
                    one.shape,
                    one.relative_residual,
                    float(np.mean(values)) if values else None,
                    float(np.std(values, ddof=1)) if len(values) > 1 else None,
                    unfitted[name].relative_residual if name in unfitted else None,
                    one.chance,
                )
            )
        return tuple(weights)

    def _residuals(self, model: nn.Module, representations: list[Representation]) -> dict[str, Residual]:
        hidden = Given(tuple(representations))
        binding = bind(model, hidden=hidden, group=self._group, rules=self._rules, check=False, **self._given)
        return binding.residuals()
