"""Actions of a finite group on channels: exact products, and the best ones by brute force over all permutations."""

import itertools

import numpy as np
import pytest

import intertwine as iw
from intertwine.diagnostics.fitting.actions import Action, admissible_share
from intertwine.diagnostics.fitting.best_action import best_action
from intertwine.diagnostics.fitting.few_orbits import best_cover, is_small
from intertwine.diagnostics.fitting.orbit_types import orbit_types
from intertwine.diagnostics.fitting.orthogonal import homomorphism_defect, orthogonal_action
from intertwine.groups.enumeration import multiplication_table
from intertwine.tracing.policy import quotient_fields


def symmetric_scores(group, width, generator):
    inverse = np.argmax(multiplication_table(group) == 0, axis=1)
    scores = generator.standard_normal((group.order, width, width))
    return (scores + scores[inverse].transpose(0, 2, 1)) / 2


def all_actions(group, width, signed=False):
    """Every homomorphism into (signed) permutations: images of generators in all ways, kept if products fit."""
    maps = [np.array(p) for p in itertools.permutations(range(width))]
    flips = [np.array(s) for s in itertools.product((1, -1), repeat=width)] if signed else [np.ones(width, dtype=int)]
    parents, letters = group.word_tree()
    choices = list(itertools.product(maps, flips))
    for chosen in itertools.product(choices, repeat=len(group.generator_matrices())):
        images = np.empty((group.order, width), dtype=np.int64)
        signs = np.empty_like(images)
        for i, (parent, letter) in enumerate(zip(parents, letters, strict=True)):
            if parent < 0:
                images[i], signs[i] = np.arange(width), 1
            else:
                images[i] = chosen[letter][0][images[parent]]
                signs[i] = signs[parent] * chosen[letter][1][images[parent]]
        action = Action(group, images, signs)
        if action.homomorphism_defect() == 0:
            yield action


@pytest.mark.parametrize(
    ("group", "width", "signed"),
    [
        (iw.Cyclic(4), 5, False),
        (iw.Cyclic(2), 6, False),
        (iw.Cyclic(3), 5, False),
        (iw.Dihedral(4), 4, False),
        (iw.Symmetric(3), 4, False),
        (iw.Cyclic(2), 4, True),
        (iw.Cyclic(4), 4, True),
    ],
    ids=str,
)
def test_no_permutations_fit_better(group, width, signed):
    """Against all permutations that multiply as the group does, for scores that are noise."""
    known = list(all_actions(group, width, signed))
    generator = np.random.default_rng(0)
    for _ in range(10):
        scores = symmetric_scores(group, width, generator)
        found = best_action(scores, group, signed=signed)
        best = max(action.score(scores) for action in known)
        assert found.score(scores) == pytest.approx(best, abs=1e-9)
        assert found.homomorphism_defect() == 0


def test_greedy_orbits_are_nearly_the_best_in_noise_and_the_best_in_structure():
    """Without the integer program: the way that wide layers go, beside the optimum."""
    from intertwine.diagnostics.fitting import best_action as module

    group, width = iw.Cyclic(4), 11
    types, generator = orbit_types(group), np.random.default_rng(1)
    assert is_small(types, width)
    truth = (2 * group.regular() + 3 * group.trivial()).matrix(group.elements()).numpy()
    shares = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "is_small", lambda *_: False)
        for _ in range(10):
            noise = symmetric_scores(group, width, generator)
            shares.append(_share(best_action(noise, group), noise, types))
            mixed = truth + 0.4 * noise
            assert _share(best_action(mixed, group), mixed, types) == pytest.approx(1.0, abs=1e-9)
    assert np.mean(shares) > 0.75


def _share(found, scores, types):
    best = sum(
        (scores[g, members[kind.images[g]], members]).sum()
        for kind, members, _ in best_cover(scores, types, signed=False)
        for g in range(len(scores))
    )
    return found.score(scores) / best


@pytest.mark.parametrize(
    "group",
    [iw.Cyclic(4), iw.Cyclic(6), iw.Dihedral(4), iw.Mirror(), iw.Octahedral(), iw.Symmetric(4), iw.Tetrahedral()],
    ids=str,
)
def test_a_scrambled_action_is_found_behind_noise(group):
    """Orbits of every type of every class of subgroups, in random order."""
    rep = sum(quotient_fields(group)[1:], 2 * quotient_fields(group)[0])
    generator = np.random.default_rng(0)
    order = generator.permutation(rep.dim)
    truth = rep.matrix(group.elements()).numpy()[:, order][:, :, order]
    found = best_action(truth + 0.15 * generator.standard_normal(truth.shape), group)
    assert np.abs(found.representation().matrix(group.elements()).numpy() - truth).max() < 1e-12
    assert found.homomorphism_defect() == 0


def test_signs_are_found_where_they_may_be():
    group = iw.Dihedral(4)
    rep = group.irreps("2x2- + 3x0-") + group.regular() + group.quotient(iw.Cyclic(2))
    generator = np.random.default_rng(0)
    order, signs = generator.permutation(rep.dim), generator.choice([-1, 1], rep.dim)
    truth = (rep.matrix(group.elements()).numpy() * signs * signs[:, None])[:, order][:, :, order]
    found = best_action(truth, group, signed=True)
    assert np.abs(found.representation().matrix(group.elements()).numpy() - truth).max() < 1e-12
    assert best_action(truth, group).score(truth) < found.score(truth) - 1


def test_cycles_are_admissible_in_actions_and_seldom_in_noise():
    group, generator = iw.Cyclic(4), np.random.default_rng(0)
    truth = (8 * group.regular()).matrix(group.elements()).numpy()
    assert admissible_share(truth, group) == 1.0
    assert admissible_share(generator.standard_normal(truth.shape), group) < 0.5


def test_an_action_that_is_none_is_noticed():
    group = iw.Cyclic(4)
    action = best_action(group.regular().matrix(group.elements()).numpy(), group)
    wrong = action.images.copy()
    wrong[1] = wrong[1][[1, 0, 2, 3]]
    assert Action(group, wrong, action.signs).homomorphism_defect() > 0


def test_of_two_elements_the_best_orthogonal_matrix_is_the_sign_of_the_score():
    """Of a symmetric M the involution of highest trace with it is sign(M): its eigenvectors, its eigenvalues' signs."""
    group, generator = iw.Cyclic(2), np.random.default_rng(0)
    scores = symmetric_scores(group, 7, generator)
    values, vectors = np.linalg.eigh(scores[1])
    rho = orthogonal_action(scores, group)
    assert rho is not None
    assert np.abs(rho[1] - (vectors * np.sign(values)) @ vectors.T).max() < 1e-10


@pytest.mark.parametrize("group", [iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral()], ids=str)
@pytest.mark.parametrize("ones", [False, True])
def test_turned_matrices_are_found_behind_noise(group, ones):
    generator = np.random.default_rng(0)
    rep = 2 * group.regular() + group.trivial()
    turn = np.linalg.qr(generator.standard_normal((rep.dim, rep.dim)))[0]
    if ones:
        first = np.linalg.qr(np.column_stack([np.ones(rep.dim), generator.standard_normal((rep.dim, rep.dim - 1))]))[0]
        inner = np.eye(rep.dim)
        inner[1:, 1:] = np.linalg.qr(generator.standard_normal((rep.dim - 1, rep.dim - 1)))[0]
        turn = first @ inner @ first.T
    truth = turn @ rep.matrix(group.elements()).numpy() @ turn.T
    rho = orthogonal_action(truth + 0.02 * generator.standard_normal(truth.shape), group, fixes_ones=ones)
    assert rho is not None
    assert homomorphism_defect(rho, group) < 1e-10
    assert np.linalg.norm(rho - truth) < 0.2 * np.linalg.norm(truth)
    if ones:
        assert np.abs(rho.sum(-1) - 1).max() < 1e-10


def test_where_scores_say_nothing_nothing_moves():
    group = iw.Cyclic(4)
    scores = np.zeros((4, 6, 6))
    scores[:, :4, :4] = group.regular().matrix(group.elements()).numpy()
    rho = orthogonal_action(scores, group)
    assert rho is not None
    assert np.abs(rho[:, 4:, 4:] - np.eye(2)).max() < 1e-12
