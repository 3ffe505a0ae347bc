"""Actions of a finite group on channels: the best ones for given scores."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.actions import Action
from intertwine.diagnostics.fitting.few_orbits import best_cover, is_small
from intertwine.diagnostics.fitting.orbit_types import OrbitType, orbit_types
from intertwine.groups import Group
from intertwine.groups.enumeration import multiplication_table

# An improvement below this share of the score is none.
IMPROVED = 1e-9
ROUNDS = 100
# Of the channels, whose orbits are built anew together.
SHARES = (0.5, 0.25, 0.1)


def best_action(scores: Array, group: Group, *, signed: bool = False, start: Action | None = None) -> Action:
    """An action of the group on the channels of high ``sum_g sum_c signs[g, c] scores[g, images[g, c], c]``.

    Orbits are built from every channel: under stabiliser H the coset xH goes to the channel that the elements of xH
    agree on, and orbits of the highest score for each channel are taken first, in rounds. Then channels are exchanged
    (an assignment problem, linear in one copy of the exchange), and the worst orbits are taken apart and built anew,
    while the score rises. For noise below the gap between channels this is the best action; in general it is a good
    one.

    Args:
        scores: shape (order, channels, channels): how well ``rho(g) e_c = e_c'`` fits, at ``[g, c', c]``.
        group: finite.
        signed: whether ``rho(g) e_c = -e_c'`` may be, with the score of the opposite sign.
        start: an action to improve beside the one that is built.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> scores = G.regular().matrix(G.elements()).numpy()
        >>> found = best_action(scores, G)
        >>> found.score(scores), found.homomorphism_defect(), found.orbit_sizes()
        (16.0, 0, {4: 1})
    """
    mirrored = scores[_inverses(group)].transpose(0, 2, 1)
    scores = (scores + mirrored) / 2
    search = _Search(scores, group, orbit_types(group, signed), signed)
    built = search.improved(search.built(np.arange(scores.shape[1])))
    if start is not None:
        other = search.improved(start)
        built = other if other.score(scores) > built.score(scores) else built
    return built


def _inverses(group: Group) -> Array:
    inverse: Array = np.argmax(multiplication_table(group) == 0, axis=1)
    return inverse


class _Search:
    """Builds and improves actions; scores are symmetric: ``scores[g^-1] = scores[g]^T``."""

    def __init__(self, scores: Array, group: Group, types: tuple[OrbitType, ...], signed: bool) -> None:
        self._scores, self._group, self._types, self._signed = scores, group, types, signed
        self._order, self._size = scores.shape[:2]

    # -- building ---------------------------------------------------------------------------------

    def built(self, channels: Array) -> Action:
        """An action on ``channels``; the others stay as they are."""
        images = np.tile(np.arange(self._size), (self._order, 1))
        signs = np.ones_like(images)
        for kind, members, own in self._cover(channels):
            images[:, members] = members[kind.images]
            signs[:, members] = own[kind.images] * own * kind.signs
        return Action(self._group, images, signs)

    def _cover(self, channels: Array) -> Iterator[tuple[OrbitType, Array, Array]]:
        """Orbits that cover ``channels``: the best ones where they can all be listed, else greedily."""
        if is_small(self._types, len(channels)):
            scores = self._scores[:, channels[:, None], channels]
            found = best_cover(scores, self._types, self._signed)
            if found is not None:
                yield from ((kind, channels[members], own) for kind, members, own in found)
                return
        free = np.zeros(self._size, dtype=bool)
        free[channels] = True
        while free.any():
            taken = 0
            for kind, members, own in self._best(np.flatnonzero(free)):
                if not free[members].all():
                    continue
                free[members] = False
                yield kind, members, own
                taken += kind.size
                if taken > free.sum():  # the rest is chosen with these taken
                    break

    def _best(self, free: Array) -> Iterator[tuple[OrbitType, Array, Array]]:
        """Candidate orbits in ``free``, the best for each channel first, with their signs."""
        scores = self._scores[:, free[:, None], free]
        values, found = [], []
        for kind in self._types:
            if kind.size > len(free):
                continue
            members, own = self._candidates(scores, kind)
            value = np.zeros(members.shape[1])
            for g in range(self._order):
                moved = kind.images[g]
                sign = own[moved] * own * kind.signs[g][:, None]
                value += (scores[g, members[moved], members] * sign).sum(0)
            values.append(value / kind.size)
            found += [(kind, members[:, i], own[:, i]) for i in range(members.shape[1])]
        for i in np.argsort(-np.concatenate(values), kind="stable").tolist():
            kind, members, own = found[i]
            yield kind, free[members], own

    def _candidates(self, scores: Array, kind: OrbitType) -> tuple[Array, Array]:
        """For each channel as that of the coset H: the channels of all cosets, and signs, shape (cosets, channels)."""
        count = scores.shape[1]
        members = np.empty((kind.size, count), dtype=np.int64)
        own = np.ones((kind.size, count), dtype=np.int64)
        members[0] = np.arange(count)
        open_ = ~np.eye(count, dtype=bool)
        rows = np.arange(count)
        for x in range(1, kind.size):
            elements = np.flatnonzero(kind.coset == x)
            fit = np.tensordot(kind.weight[elements].astype(scores.dtype), scores[elements], 1)
            judged = np.where(open_, np.abs(fit) if self._signed else fit, -np.inf)
            members[x] = judged.argmax(0)
            if self._signed:
                own[x] = np.where(fit[members[x], rows] < 0, -1, 1)
            open_[members[x], rows] = False
        return members, own

    # -- improving --------------------------------------------------------------------------------

    def improved(self, action: Action) -> Action:
        """Exchange channels, then take the worst orbits apart, while the score rises."""
        value = action.score(self._scores)
        moves: list[Callable[[Action], Action]] = [self._exchanged, self._swapped]
        moves += [partial(self._rebuilt, share=share) for share in SHARES]
        for _ in range(ROUNDS):
            for move in moves:
                other = move(action)
                gained = other.score(self._scores)
                if gained > value + IMPROVED * abs(value):
                    action, value = other, gained
                    break
            else:
                return action
        return action

    def _swapped(self, action: Action) -> Action:
        """Channels of different orbits in each other's places, the pair that gains most first, each orbit once."""
        places = np.zeros(self._scores.shape[1:])
        own = np.arange(self._size)
        for g in range(self._order):  # what channel j scores at the place of c, the rest of its orbit as it is
            sign, moved = action.signs[g], action.images[g]
            stays = moved == own
            alone = self._scores[g, own, own][:, None] * sign
            places += np.where(stays, alone, 2 * self._scores[g][moved].T * sign)
        gain = places + places.T - np.diag(places) - np.diag(places)[:, None]
        orbit = action.images.min(0)
        gain[orbit[:, None] == orbit] = 0
        new, touched = own.copy(), np.zeros(self._size, dtype=bool)
        rows, columns = np.nonzero(np.triu(gain) > 0)
        for i in np.argsort(-gain[rows, columns], kind="stable").tolist():
            a, b = int(rows[i]), int(columns[i])
            if not (touched[orbit[a]] or touched[orbit[b]]):
                touched[orbit[a]] = touched[orbit[b]] = True
                new[a], new[b] = b, a
        return self._relabelled(action, new, np.ones_like(new))

    def _exchanged(self, action: Action) -> Action:
        """``Q rho Q^-1`` for the permutation Q that is best to first order."""
        from scipy.optimize import linear_sum_assignment

        gain = np.zeros(self._scores.shape[1:])
        for g in range(self._order):  # rho(g) as channel c goes to j, and its partner stays
            gain += self._scores[g][action.images[g]].T * action.signs[g]
        rows, columns = linear_sum_assignment(-(np.abs(gain) if self._signed else gain))
        new = np.empty_like(rows)
        new[columns] = rows
        tau = np.ones_like(new)
        if self._signed:
            tau = np.where(gain[new, np.arange(self._size)] < 0, -1, 1)
        return self._relabelled(action, new, tau)

    def _relabelled(self, action: Action, new: Array, tau: Array) -> Action:
        images, signs = np.empty_like(action.images), np.empty_like(action.signs)
        images[:, new] = new[action.images]
        signs[:, new] = tau[action.images] * tau * action.signs
        return Action(self._group, images, signs)

    def _rebuilt(self, action: Action, share: float) -> Action:
        """The same with the worst orbits, about ``share`` of the channels, built anew."""
        each = action.channel_scores(self._scores).mean(0)
        orbit = action.images.min(0)  # an orbit is named by its first channel
        totals = np.bincount(orbit, each, self._size) / np.maximum(np.bincount(orbit, minlength=self._size), 1)
        worst = np.argsort(totals[orbit], kind="stable")[: max(2, int(share * self._size))]
        chosen = np.flatnonzero(np.isin(orbit, orbit[worst]))
        new = self.built(chosen)
        images, signs = action.images.copy(), action.signs.copy()
        images[:, chosen], signs[:, chosen] = new.images[:, chosen], new.signs[:, chosen]
        return Action(self._group, images, signs)
