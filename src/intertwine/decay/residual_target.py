"""A largest relative residual instead of a strength: what each step needs follows in closed form."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from intertwine._arguments import check_instance
from intertwine._numerics import in_own_precision
from intertwine.binding import Binding
from intertwine.binding.strengths import Strength, entry_strengths
from intertwine.errors import ArgumentError

# What the running mean of the multipliers keeps at a step.
MEMORY = 0.9


class Target:
    """The largest relative residual ``|W - P W| / |W|`` that each weight may have, given instead of a strength.

    ``EquivarianceDecay(optimizer, binding, strength=iw.Target(binding, 0.05))`` takes, after each step of the
    optimiser, the proximal step of the constraint: where ``|W - P W| > residual |W|``

    ``W <- P W + c (W - P W)``  with  ``c = residual |P W| / (sqrt(1 - residual^2) |W - P W|)``

    which leaves ``P W`` alone and meets the target to rounding; other weights stay as they are: training leads them
    below it by itself, and what is left up to the target is their slack. The strength that would have done the same,
    ``s = (1/c - 1) / lr``, is the multiplier of the constraint: 0 where there is slack, large where the loss pulls
    hard against the symmetry. So no gain is tuned, and none of the weights oscillates, as they do where multipliers
    go up and down from step to step (dual ascent).

    A strict target takes as much off the norm of random weights as ``project_()`` does, and deep networks starve: start
    from ``binding.initialize_()`` or ``binding.project_(preserve_norm=True)``, and residuals grow up to their targets.

    Norms are read once a step for all weights together, for which an accelerator is waited for.

    Args:
        binding: the typed model.
        residual: from 0 (exactly equivariant, as strength ``inf``) up to 1 (anything), or a mapping from names of
            parameters or modules to such numbers; what no name fits is left alone.

    Attributes:
        binding: the typed model.
        multipliers: by name, a running mean of the strengths that the steps needed (a tenth of the last one, nine of
            what was before); of the weights that were updated so far.

    Raises:
        ArgumentError: a number outside 0 to 1, or a projector that measures in a norm of its own (spectral and
            spherical layers, filters): no one strength keeps its parts in proportion.
        UnknownNameError: a name that fits no typed parameter.

    Source:
        Bounds with multipliers in place of strengths: Manolache, Chamon and Niepert 2025, arXiv 2505.13631, where a
        factor before the rest of each layer is bounded; here it is what the weights are off, and in closed form.

    Examples:
        >>> import intertwine as iw, torch
        >>> G, layer = iw.Cyclic(4), torch.nn.Linear(4, 4, bias=False)
        >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        >>> target = iw.Target(binding, 0.05)
        >>> decay = iw.EquivarianceDecay(optimizer, binding, strength=target)
        >>> layer(torch.randn(8, 4)).square().sum().backward()
        >>> optimizer.step()
        >>> round(binding.residuals()["weight"].relative_residual, 6), target.multipliers["weight"] > 0
        (0.05, True)
    """

    def __init__(self, binding: Binding, residual: Strength) -> None:
        check_instance("binding", binding, Binding, "an intertwine.Binding")
        self.binding = binding
        self._residuals = _residuals(residual, binding)
        own = [
            entry.name
            for entry, limit in zip(binding.entries, self._residuals, strict=True)
            if limit is not None and 0 < limit < 1 and entry.projector.has_own_norm
        ]
        if own:
            raise ArgumentError(
                "residual",
                expected="weights whose projectors measure in the plain norm",
                got=f"{own[0]}, which {binding[own[0]].projector.group} measures in a norm of its own",
                advice="Leave it out of a mapping, and give it a strength with a decay of its own.",
            )
        self.multipliers: dict[str, float] = {}

    @property
    def slack(self) -> dict[str, float]:
        """By name, how far below its target each weight is now, measured as ``binding.residuals`` does."""
        found = self.binding.residuals()
        pairs = zip(self.binding.entries, self._residuals, strict=True)
        return {e.name: limit - found[e.name].relative_residual for e, limit in pairs if limit is not None}

    def checked(self, bindings: Sequence[Binding], every: int) -> Callable[[int], Strength]:
        """The strengths before a step, as a schedule has them, if a decay of these bindings can keep the bound.

        Raises:
            ArgumentError: several bindings, another one, or ``every`` > 1.
        """
        if len(bindings) > 1:
            advice = "The residuals of several groups are no proximal step in closed form."
            expected = "strengths, where there are several bindings"
            raise ArgumentError("strength", expected=expected, got=repr(self), advice=advice)
        if bindings[0] is not self.binding:
            got = "a target of another binding"
            raise ArgumentError("strength", expected="a target of the binding that is decayed", got=got)
        if every > 1:
            raise ArgumentError("every", expected="1 with a target, which is met at each step", got=every)
        return self._before

    def _before(self, _: int) -> Strength:
        return {entry.name: s for entry, s in zip(self.binding.entries, self.unsolved(), strict=True)}

    def strengths(self) -> dict[str, float]:
        """By name, the multiplier of each weight, infinite where the target is 0."""
        pairs = zip(self.binding.entries, self.unsolved(), strict=True)
        return {e.name: self.multipliers.get(e.name, 0.0 if known == 1.0 else known) for e, known in pairs}

    def unsolved(self) -> tuple[float, ...]:
        """A strength an entry before a step: infinite or none where that is known, 1 where the step will say."""
        return tuple(_known(limit) for limit in self._residuals)

    @in_own_precision
    @torch.no_grad()
    def solved(self, weights: Sequence[tuple[int, torch.Tensor]], rate: Callable[[int], float]) -> tuple[float, ...]:
        """The strength an entry that takes its weight to its target in one step.

        Args:
            weights: numbers of the entries that were updated, with their weights.
            rate: the learning rate of an entry, by its number.
        """
        found = [0.0 if known == 1.0 else known for known in self.unsolved()]
        asked = [(i, W) for i, W in weights if _known(self._residuals[i]) == 1.0]
        for (i, _), (whole, rest) in zip(asked, self._norms(asked), strict=True):
            limit = self._residuals[i] or 0.0
            equivariant = math.sqrt(max(0.0, whole * whole - rest * rest))
            allowed = limit * equivariant / math.sqrt(1 - limit * limit)
            # Without an equivariant part there is nothing to keep a proportion to.
            excess = rest / allowed - 1 if allowed else (math.inf if rest else 0.0)
            lr = rate(i)
            found[i] = max(0.0, excess) / lr if lr else 0.0
            name = self.binding.entries[i].name
            before = self.multipliers.get(name, found[i])
            self.multipliers[name] = MEMORY * before + (1 - MEMORY) * found[i]
        return tuple(found)

    def _norms(self, asked: Sequence[tuple[int, torch.Tensor]]) -> list[list[float]]:
        """``|W|`` and ``|W - P W|`` of each, read at once."""
        if not asked:
            return []
        pairs = [
            torch.stack([torch.linalg.vector_norm(x) for x in (W, self.binding.entries[i].projector.residual(W))])
            for i, W in asked
        ]
        home = pairs[0].device
        found: list[list[float]] = torch.stack([pair.to(home, torch.float64) for pair in pairs]).tolist()
        return found

    def __repr__(self) -> str:
        limits = sorted({limit for limit in self._residuals if limit is not None})
        return f"Target({', '.join(f'{limit:g}' for limit in limits)}; {len(self._residuals)} parameters)"


def _known(limit: float | None) -> float:
    if limit is None or limit >= 1:
        return 0.0
    return 1.0 if limit else math.inf


def _residuals(residual: Strength, binding: Binding) -> tuple[float | None, ...]:
    limits = entry_strengths(residual, binding.entries, "residual", largest=1.0)
    if not isinstance(residual, Mapping):
        return limits
    # Names that nothing fits have strength 0, which as a target would be the strictest.
    named = entry_strengths(dict.fromkeys(residual, 1.0), binding.entries, "residual")
    return tuple(limit if fits else None for limit, fits in zip(limits, named, strict=True))
