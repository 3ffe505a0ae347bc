"""P against emlp 1.0.3 (Finzi et al. 2021), on ranks and projections that tests/data/record_emlp.py recorded.

emlp computes in float32, with bases from an SVD: agreement is asked to 1e-5 of the weight's norm; ranks are equal.
"""

import json
import warnings
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch

import intertwine as iw

with np.load(Path(__file__).parent / "data" / "emlp.npz") as record:
    ARRAYS = {key: record[key] for key in record.files if key != "header"}
    CASES = json.loads(str(record["header"]))["cases"]


def power(vector, exponent):
    """``V^n``, a list being a sum, as in the record."""
    if isinstance(exponent, list):
        return reduce(lambda a, b: a + b, (power(vector, e) for e in exponent))
    if exponent == 0:
        return vector.group.trivial()
    return reduce(lambda a, b: a.tensor(b), [vector] * exponent)


def by_generators(number):
    """The vector representation of the group that emlp's own generators give."""
    lie, discrete = ARRAYS[f"lie{number}"], ARRAYS[f"discrete{number}"]
    # emlp's turns by 72 and 120 degrees are rounded to float32; FiniteGroup refines them, an infinite group takes none.
    group = iw.MatrixGroup(lie, discrete) if len(lie) else iw.FiniteGroup(discrete)
    return group.defining()


def by_name(name):
    """The same vectors of a group of ours, or None where we have no such group."""
    family, _, n = name.rstrip(")").partition("(")
    if family == "Z":
        return iw.Cyclic(int(n)).regular()
    if family == "S":
        return iw.Symmetric(int(n)).defining()
    if family == "D" and int(n) % 2 == 0:  # emlp mirrors at the y axis, which is a mirror of ours for even n only
        return iw.Dihedral(int(n)).standard()
    if name == "SO13p()":
        return iw.MatrixGroup.lorentz().standard()
    known = {"SO(2)": iw.SO(2), "SO(3)": iw.SO(3), "O(3)": iw.O(3)}
    return known[name].standard() if name in known else None


def ways():
    """(number of the case, how our group is made): by name where it has one."""
    for number, case in enumerate(CASES):
        name = f"{case['group']}-{case['in']}-{case['out']}"
        yield pytest.param(number, "generators", id=f"{name}-generators")
        if by_name(case["group"]) is not None:
            yield pytest.param(number, "name", id=f"{name}-name")


@pytest.mark.parametrize(("number", "how"), list(ways()))
def test_same_projector_as_emlp(number, how):
    case = CASES[number]
    vector = by_generators(number) if how == "generators" else by_name(case["group"])
    rep_in, rep_out = power(vector, case["in"]), power(vector, case["out"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(axes=(rep_out, rep_in.dual()))
    assert P.rank == case["rank"]
    weight = torch.from_numpy(ARRAYS[f"weight{number}"]).double()
    expected = torch.from_numpy(ARRAYS[f"projection{number}"]).double()
    torch.testing.assert_close(P.project(weight), expected, rtol=0, atol=1e-5 * float(weight.norm()))
    if case["rank"]:
        assert expected.norm() > 1e-2 * weight.norm(), "the record should tell projectors apart"


def test_the_record_has_rank_zero_and_noncompact_cases():
    assert {case["rank"] for case in CASES} >= {0, 1, 3, 125}
    assert {"SO13()", "O13()", "Lorentz()", "SL(2)"} <= {case["group"] for case in CASES}
