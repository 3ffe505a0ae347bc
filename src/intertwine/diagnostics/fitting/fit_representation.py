"""Which representation the hidden features of a trained network carry."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn

from intertwine._arguments import check_choice, check_generator, flag, is_integer
from intertwine.binding.bind import UNSAID
from intertwine.binding.measure import check_finite
from intertwine.diagnostics.fitting.fit import Fit, Progress, Steps
from intertwine.diagnostics.fitting.fitted_representation import FittedRepresentation
from intertwine.diagnostics.grids.on_grid import on_grid
from intertwine.errors import ArgumentError, SizeLimitError
from intertwine.groups import Group
from intertwine.tracing.ends import read_ends
from intertwine.tracing.policy import MAX_ORDER

Freedom = Literal["permutation", "orthogonal"]
FREEDOMS = ("permutation", "orthogonal")


def fit_representation(  # noqa: PLR0913 - a keyword for each thing that may be said of a model
    model: nn.Module,
    example: Any,
    group: Group | None = None,
    freedom: Freedom = "permutation",
    *,
    rep_in: object = UNSAID,
    rep_out: object = UNSAID,
    scalings: bool = False,
    draws: int = 5,
    generator: torch.Generator | None = None,
    rules: Mapping[Any, Any] | None = None,
    progress: Progress | None = None,
) -> FittedRepresentation:
    """Which representation of a finite group do the hidden features of a trained network carry?

    The channels of a trained network come in no order, so that under a representation in channel order it looks as if
    it had learnt nothing. Here every hidden representation that the constraints of one run leave open (``bind``) is
    fitted:

    1. *Proposal* by responses. In an equivariant network channel c' answers to ``g x``, turned back, as channel c does
       to x where ``rho(g) e_c = e_c'``: correlations over samples and pixels, for all elements g.
    2. *Rounding* to an action: orbits of channels, one type for each class of stabiliser subgroups, the best first, so
       that ``rho(g) rho(h) = rho(gh)`` holds exactly.
    3. *Refinement* by weights, incoming and outgoing together, each unknown in turn under what the others carry:
       the action of the highest ``sum_W |PW|^2 / |W|^2``, taken where it is higher than before.

    A fit finds symmetry in noise. Therefore the whole of it is repeated on weights whose entries are shuffled within
    each filter: ``chance`` of each weight is what luck gives.

    Args:
        model: any module that ``bind`` can type from one run; it is left as it was.
        example: what the model takes, as for ``bind``; some tens of samples that excite all channels, as the data do.
        group: finite. Needed where neither end has a representation.
        freedom: ``"permutation"``: features are permuted, with signs where only odd functions meet them.
            ``"orthogonal"``: features that no pointwise function meets (residual streams, queries and keys within
            heads, linear layers) carry orthogonal matrices; the others are permuted still. Heads of attention may lie
            each in a basis of its own, which is folded into a copy, the output unchanged: ``fit.model``.
        rep_in: how the group acts on the example, as for ``bind``. Default: images whose channels it leaves alone.
        rep_out: how it acts on the output, likewise. Default: it leaves it alone.
        scalings: fit a copy whose channels were multiplied by positive factors where functions allow it (ReLU),
            neighbouring weights divided, the output unchanged: ``fit.model``.
        draws: how many times chance is drawn; 0 for none.
        generator: seeds the shuffles; seed 0 if None.
        rules: as for ``bind``.
        progress: told the share that is done, and what comes next, in words.

    Returns:
        A ``FittedRepresentation``: representations, residuals beside chance, a printed table, and ``fit.bind()``.

    Raises:
        ArgumentError: a Lie group (take a finite subgroup), an unknown freedom, a model without hidden features.
        SizeLimitError: more than 192 elements.
        NonFiniteError: weights with NaN or infinity.

    Source:
        Own. Channels are matched as in Li, Yosinski, Clune, Lipson and Hopcroft 2016, "Convergent learning" (between
        networks there; between a network and itself on moved inputs here).

    Examples:
        >>> import intertwine as iw, torch
        >>> G, seeded = iw.Cyclic(4), torch.Generator().manual_seed(0)
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3))
        >>> images, x = iw.on_grid(G.trivial()), torch.randn(16, 1, 9, 9, generator=seeded)
        >>> features = iw.on_grid(G.regular())
        >>> _ = iw.bind(net, rep_in=images, rep_out=features, example=x).project_()
        >>> order = torch.randperm(8, generator=seeded)
        >>> net[0].weight.data, net[0].bias.data = net[0].weight.data[order], net[0].bias.data[order]
        >>> net[2].weight.data = net[2].weight.data[:, order]
        >>> fit = iw.fit_representation(net, x, rep_in=images, rep_out=features, draws=2)
        >>> first = fit.weights[0]
        >>> first.name, first.residual < 1e-6, first.chance > 0.3, fit.unknowns[0].orbits
        ('0.weight', True, True, {4: 2})
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", expected="a torch.nn.Module", got=type(model).__name__)
    check_choice("freedom", freedom, FREEDOMS)
    flag("scalings", scalings)
    check_generator("generator", generator)
    if not is_integer(draws):
        raise ArgumentError("draws", expected="an integer >= 0", got=repr(draws)[:80])
    if group is not None:
        _check_group(group)
    rep_in, rep_out = _ends(rep_in, rep_out, example, group)
    ends = read_ends(rep_in, rep_out, group)
    _check_group(ends.acting.group)
    check_finite_model(model)
    tell = Steps(progress, draws)
    return Fit(model, example, (rep_in, rep_out), ends, rules, tell).result(freedom, scalings, draws, generator)


def _ends(rep_in: object, rep_out: object, example: Any, group: Group | None) -> tuple[Any, Any]:
    """Representations of input and output, with the defaults for images and for outputs that stay as they are."""
    if rep_in is UNSAID:
        images = isinstance(example, torch.Tensor) and 3 <= example.ndim <= 5
        if not images or group is None:
            raise ArgumentError(
                "rep_in",
                expected=f"how the group acts on the example{'' if images else ', which is not one tensor of images'}",
                got="none" if images else type(example).__name__,
                advice="Give rep_in=, or for images whose channels stay as they are the group alone.",
            )
        rep_in = on_grid(example.shape[1] * group.trivial())
    return rep_in, None if rep_out is UNSAID else rep_out


def _check_group(group: object) -> None:
    if not isinstance(group, Group):
        raise ArgumentError("group", expected="a group, such as Cyclic(4)", got=repr(group)[:80])
    if not group.is_finite:
        raise ArgumentError(
            "group",
            expected="a finite group, whose elements can be matched one by one",
            got=str(group),
            advice="Fit a finite subgroup, as Cyclic(4) of SO(2) or Octahedral() of SO(3): rep.restrict(subgroup).",
        )
    if group.order > MAX_ORDER:
        raise SizeLimitError("group", expected=f"a group of at most {MAX_ORDER} elements", got=f"{group.order}")


def check_finite_model(model: nn.Module) -> None:
    """Whether all weights are numbers.

    Raises:
        NonFiniteError: one has NaN or infinity.
    """
    for name, tensor in model.named_parameters():
        check_finite(name, tensor)
