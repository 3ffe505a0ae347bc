"""Random small networks with one breaker each: projected they are equivariant, or the binding says why not."""

import warnings

import pytest

from tests.tracing.planting.hunt import LIMIT, built, judged, runs
from tests.tracing.planting.kinds import KINDS
from tests.tracing.planting.networks import FAMILIES

# Each kind once, of families and ways in turn; the compiler's and those of other dtypes are left to the hunt.
TURNS = ("plain", "residual", "plain", "checkpoint", "relu", "plain", "zero", "no_grad", "two", "plain", "detached")
PLANTED = [
    (7000 + number, list(FAMILIES)[number % len(FAMILIES)], kind, TURNS[number % len(TURNS)])
    for number, kind in enumerate(KINDS)
]
# Without `Parts` (what writes into a part leaves of the whole) nothing names this one.
PLANTED += [(407, "sequences", "copied_part", "plain")]


def outcome(seed, family, kind, way):
    """What is raised goes through: torch's own errors fail the law, as refusals do, which no network here needs."""
    network, found = built(seed, family, kind, way)
    assert runs(network) == ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judged(network, found)
    return found


@pytest.mark.parametrize(("seed", "family", "kind", "way"), PLANTED)
def test_a_planted_break_is_named_or_without_effect(seed, family, kind, way):
    """``|f(g x) - g f(x)| <= 1e-5 |f|`` after ``project_()``, or something names a cause."""
    found = outcome(seed, family, kind, way)
    assert found.error <= LIMIT or found.named, found


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_without_a_break_are_left_in_peace(family):
    found = outcome(7, family, "clean", "plain")
    assert found.error <= LIMIT, found
    assert found.named == []
