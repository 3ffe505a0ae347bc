"""Regular representations of finite groups: cost and constants, and how they depend on the order."""

from collections.abc import Iterator

import intertwine as iw
from benchmarks.row import Row, ratio_row
from benchmarks.settings import Settings
from benchmarks.timing import interleaved, ratio
from benchmarks.weights import bound_weight, penalty_gradient, plain_l2, regular

MEGABYTE = 1e6


def rows(settings: Settings) -> Iterator[Row]:
    """A row a group, from one run for all of them; then the spread over the groups and the constants."""
    dim = 48 if settings.quick else 1536
    groups = (iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.Octahedral(reflections=True))
    bindings = {group: bound_weight(rep, rep, settings) for group in groups for rep in [regular(group, dim)]}
    works = {str(group): penalty_gradient(binding) for group, binding in bindings.items()}
    times = interleaved({"plain L2": plain_l2(next(iter(bindings.values())).model.weight), **works}, settings, times=2)
    ratios = {group: ratio(times[str(group)], times["plain L2"]) for group in groups}
    cost = "penalty + gradient / plain L2 + gradient, regular representation"
    for group in groups:
        pair = {name: times[name] for name in ("plain L2", str(group))}
        budget = 2.0 if group.order in (8, 24) else None
        yield ratio_row(
            "regular",
            f"{cost} of {group} (order {group.order}), {dim}^2",
            ratios[group],
            pair,
            budget=budget,
        )
    values = [ratios[group].value for group in groups]
    yield Row(
        "regular",
        f"the same: largest over smallest ratio, order 2 to 48, {dim}^2",
        max(values) / min(values),
        budget=1.2,
        note="flat in the group's order, taken as within 20 %",
        curve={float(group.order): ratios[group].value for group in groups},
    )
    for group in groups[2:]:
        size = next(iter(bindings[group])).projector.constant_bytes / MEGABYTE
        work = f"constants of the projector, regular representation of {group}, {dim}^2"
        yield Row("regular", work, size, unit="MB", budget=1.0)
