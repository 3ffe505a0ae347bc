import math

import pytest

from experiments.comparison.claim import claim_lines, judge
from experiments.comparison.selection import rows_by_strength, select
from experiments.comparison.summary import paired, summarise
from experiments.comparison.tables import accuracy_table, detail_table

LABELS = {"plain": "plain", "exact": "exactly equivariant", "decay": "decay", "penalty": "penalty"}


def run(accuracy, loss=1.0):
    return {
        "test_accuracy": accuracy,
        "validation_loss": loss,
        "equivariance_error": 0.5,
        "relative_residual": 1e-7,
        "seconds": 0.25,
    }


def settings(f, method, seed, strength=None):
    return {"fraction": f, "method": method, "seed": seed, "strength": strength}


def table(accuracies):
    """Rows from ``{(fraction, method): accuracies by seed}``."""
    runs = [
        (settings(f, method, seed), run(value))
        for (f, method), values in accuracies.items()
        for seed, value in enumerate(values)
    ]
    return select(rows_by_strength(runs, "fraction"))


def test_summaries():
    result = summarise([0.9, 0.92, 0.94])
    assert result.mean == pytest.approx(0.92)
    assert result.standard_error == pytest.approx(0.02 / math.sqrt(3))
    assert math.isnan(summarise([0.5]).standard_error)
    assert summarise([0.5]).text() == "0.500"
    assert summarise([0.5]).to_dict() == {"mean": 0.5, "standard_error": None, "values": [0.5]}
    assert math.isinf(summarise([1.0, math.inf]).mean)
    # Seeds that differ by much and methods that differ by little: pairing sees the difference.
    assert paired([0.5, 0.7, 0.9], [0.49, 0.69, 0.89]).standard_error < 1e-12


def test_each_seed_chooses_by_its_own_validation_loss_never_by_the_test():
    losses = {(0, 0.1): 0.5, (0, 1.0): 0.2, (0, 10.0): 0.9, (1, 0.1): 0.1, (1, 1.0): 0.2, (1, 10.0): 0.9}
    runs = [
        (settings(0.1, "decay", seed, strength), run(0.99 if strength == 10.0 else 0.9, loss))
        for (seed, strength), loss in losses.items()
    ]
    rows = select(rows_by_strength(runs, "fraction"))
    assert [row.strengths for row in rows] == [(1.0, 0.1)]
    assert rows[0].values("test_accuracy") == (0.9, 0.9)
    assert rows[0].strength_text() == "0.1 to 1, median 0.1"


def test_ties_take_the_first_and_diverged_runs_are_not_chosen():
    runs = [
        (settings(0.1, "decay", 0, strength), run(0.9, loss))
        for strength, loss in [(0.1, math.inf), (1.0, 0.3), (2.0, 0.3)]
    ]
    assert select(rows_by_strength(runs, "fraction"))[0].strengths == (1.0,)


HOLDING = {
    (0.0, "plain"): [0.95, 0.93, 0.94],
    (0.0, "exact"): [0.90, 0.91, 0.90],
    (0.0, "decay"): [0.949, 0.932, 0.938],
    (0.0, "penalty"): [0.92, 0.90, 0.91],
    (0.1, "plain"): [0.90, 0.89, 0.90],
    (0.1, "exact"): [0.90, 0.91, 0.90],
    (0.1, "decay"): [0.93, 0.92, 0.92],
    (0.1, "penalty"): [0.93, 0.92, 0.91],
}


def test_the_claim_holds_where_it_should():
    decay, penalty = judge(table(HOLDING), ("decay", "penalty"), 0.1)
    assert decay.holds
    assert decay.holds_by_table
    assert decay.leads
    assert not penalty.holds
    assert not penalty.holds_by_table
    assert penalty.comparisons[0].best == "plain"
    lines = claim_lines([decay, penalty], LABELS, 0.1, "f")
    assert "it holds for decay;" in lines[1]
    assert lines[3].startswith("decay is behind plain at f = 0 by 0.0003")


def test_the_two_readings_of_one_standard_error_differ():
    # Always 0.004 behind: pairing sees it, the scatter of the best row hides it.
    table_rows = HOLDING | {(0.0, "decay"): [0.946, 0.926, 0.936]}
    decay = judge(table(table_rows), ("decay",), 0.1)[0]
    assert not decay.holds
    assert decay.holds_by_table
    lines = claim_lines([decay], LABELS, 0.1, "f")
    assert (
        "differences it holds for none; with the standard error of the best row itself it holds for decay." in lines[1]
    )


def test_no_lead_no_claim():
    decay = judge(table(HOLDING | {(0.1, "plain"): [0.93, 0.93, 0.93]}), ("decay",), 0.1)[0]
    assert not decay.leads
    assert not decay.holds
    assert decay.ahead["plain"].mean < 0 < decay.ahead["exact"].mean
    assert "it holds for none" in claim_lines([decay], LABELS, 0.1, "f")[1]


def test_tables():
    rows = table(HOLDING)
    compact = accuracy_table(rows, LABELS, "f")
    assert compact.columns == ("method", "f = 0", "f = 0.1")
    assert compact.rows[0] == ("plain", "0.940 ± 0.006", "0.897 ± 0.003")
    assert compact.bold == {(0, 1), (2, 2)}
    markdown = compact.to_markdown().splitlines()
    assert markdown[2] == "| plain | **0.940 ± 0.006** | 0.897 ± 0.003 |"
    assert len({line.count("|") for line in markdown}) == 1
    detail = detail_table(rows, LABELS, "f", 0.866)
    assert detail.rows[0] == ("plain", "0", "0.940 ± 0.006", "0.500 ± 0.000", "1e-07", "0.25", "")
    assert len(detail.rows) == 8
    assert detail.breaks == {3, 7}
    assert detail.to_rich().row_count == 8
