"""Regular representations of finite groups: cost and constants, and how they depend on the order."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Samples, Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from benchmarks.weights import bound_weight, penalty_gradient, plain_l2, regular

MEGABYTE = 1e6
JUDGED = ("D4", "O")


def rows(settings: Settings) -> Iterator[Row]:
    """A row a group, from one run for all of them; then the spread over the groups and the constants."""
    dim = 48 if settings.quick else 1536
    groups = (iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.Octahedral(reflections=True))
    names = [str(group) for group in groups]
    questions = {name: Question(ratio(name, "plain L2"), 2.0 if name in JUDGED else None) for name in names}
    questions["spread"] = Question(partial(_spread, names), budget=1.2)
    found = answered(partial(_works, groups, dim, settings), questions, settings)
    cost = "penalty + gradient / plain L2 + gradient, regular representation"
    for group, name in zip(groups, names, strict=True):
        work = f"{cost} of {group} (order {group.order}), {dim}^2"
        yield estimate_row("regular", work, found, questions, name, works=("plain L2", name))
    yield estimate_row(
        "regular",
        f"the same: largest over smallest ratio, order 2 to 48, {dim}^2",
        found,
        questions,
        "spread",
        works=(),
        note="flat in the group's order, taken as within 20 %",
        curve={float(group.order): found.estimates[str(group)].value for group in groups},
    )
    for group in groups[2:]:
        P = iw.projector(regular(group, dim), regular(group, dim))
        work = f"constants of the projector, regular representation of {group}, {dim}^2"
        yield Row("regular", work, P.constant_bytes / MEGABYTE, unit="MB", budget=1.0)


def _works(groups: Sequence[iw.FiniteGroup], dim: int, settings: Settings) -> Mapping[str, Work]:
    bindings = {str(group): bound_weight(rep, rep, settings) for group in groups for rep in [regular(group, dim)]}
    first = next(iter(bindings.values()))
    works = {name: penalty_gradient(binding) for name, binding in bindings.items()}
    return {"plain L2": plain_l2(first.model.weight), **works}


def _spread(names: Sequence[str], samples: Samples) -> float:
    ratios = [ratio(name, "plain L2")(samples) for name in names]
    return max(ratios) / min(ratios)
