"""A few hundred of the malformed calls that ``python -m tests.attack`` draws by thousands, and that none is missing."""

import warnings

import pytest

import intertwine as iw
from intertwine import baselines
from tests.attack.attack import attack
from tests.attack.command_line import command_lines
from tests.attack.outcome import FAULTS, NAMED, RAW, SILENT
from tests.attack.surface import TARGETS
from tests.attack.target import Target

# Results and errors, which users read and do not make, and names of modules.
NOT_CALLED = {
    "Certificate",
    "Binding", "Breaker", "DataSymmetry", "Decomposition", "EquivarianceError", "Field", "Geometry", "GridAction",
    "FittedRepresentation",
    "Group", "IntertwineError", "ModelCheck", "Projector", "DecayWarning",
    "IdentityActionWarning", "RankZeroWarning", "Report", "Trivial", "errors", "nn", "testing",
    # Modules and classes whose functions have targets of their own, or none with arguments.
    "conventions", "layers", "training",
}  # fmt: skip


def test_every_public_name_is_attacked():
    called = {target.name.split()[0].partition("(")[0] for target in TARGETS}
    missing = set(iw.__all__) - NOT_CALLED - called
    missing |= {f"nn.{name}" for name in iw.nn.__all__} - called
    missing |= {f"testing.{name}" for name in iw.testing.__all__} - called
    unreachable = {"lie_derivative", "relaxed_constraint"}  # they need another group, and another model
    missing |= {f"baselines {name}" for name in baselines.BASELINES if name not in unreachable} - {
        t.name for t in TARGETS
    }
    assert missing == set()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_right_arguments_are_taken(target):
    """Otherwise every malformed call would end in a named error, for the wrong reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target.function(**target.arguments())


def test_malformed_calls_end_in_named_errors():
    outcomes = list(attack(0, 500, TARGETS))
    assert [found for found in outcomes if found.kind in FAULTS] == []
    assert sum(found.kind == NAMED for found in outcomes) > 450


def test_malformed_command_lines_end_in_one_line():
    pytest.importorskip("typer.testing")
    assert [found for found in command_lines(0, 25) if found.kind in FAULTS] == []


def test_the_attack_sees_what_is_silent_and_what_is_raw():
    """On a function that takes everything, and on one that trips over it."""
    domains = TARGETS[0].domains
    silent = Target("takes everything", lambda n: 1.0, lambda: {"n": 1}, domains)
    raw = Target("trips", lambda n: n.no_such_attribute, lambda: {"n": 1}, domains)
    assert {found.kind for found in attack(0, 30, [silent])} <= {SILENT, "missing or unknown argument"}
    assert {found.kind for found in attack(0, 30, [raw])} <= {RAW, "missing or unknown argument"}
