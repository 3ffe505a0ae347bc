"""Representations of all unknowns of a network: proposed by responses, then refined by weights until nothing gains."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.actions import Action, admissible_share
from intertwine.diagnostics.fitting.best_action import best_action
from intertwine.diagnostics.fitting.found import Found, Kind
from intertwine.diagnostics.fitting.heads.bases import fitted_heads
from intertwine.diagnostics.fitting.heads.runs import Heads
from intertwine.diagnostics.fitting.heads.scores import head_responses, head_weight_scores
from intertwine.diagnostics.fitting.network import Network, values
from intertwine.diagnostics.fitting.orthogonal import homomorphism_defect, matrices_representation, orthogonal_action
from intertwine.diagnostics.fitting.responses import response_scores
from intertwine.diagnostics.fitting.symmetries import Freedom
from intertwine.diagnostics.fitting.weight_scores import evidence, weight_scores
from intertwine.representations import Representation
from intertwine.tracing.axes import Unknown
from intertwine.tracing.normal_form import carried

# Rounds over all unknowns.
ROUNDS = 4
GAIN = 1e-9


def kinds(network: Network, room: Freedom, asked: str) -> list[Kind]:
    """What each unknown may carry: permutations behind pointwise functions, with signs where these are odd."""
    found: list[Kind] = []
    for node in network.nodes:
        if asked == "orthogonal" and "pointwise" not in node.needs:
            found.append("orthogonal")
        elif "pointwise" in node.needs and "ones" not in node.needs and node in room.signs:
            found.append("signed permutation")
        else:
            found.append("permutation")
    return found


def search(
    network: Network,
    model: nn.Module,
    example: Any,
    allowed: list[Kind],
    heads: Mapping[Unknown, Heads],
    progress: Callable[[str], object],
) -> list[Found]:
    """The representation of every unknown of ``model``, a model of the structure that was traced.

    Representations of heads are those of a model whose heads were turned by ``bases``.
    """
    for node in network.nodes:
        node.bound = None
    progress("responses")
    correlations = response_scores(network, model, example)
    found = [
        _proposed(network, node, scores, kind)
        for node, scores, kind in zip(network.nodes, correlations, allowed, strict=True)
    ]
    mixed = [i for i, kind in enumerate(allowed) if kind == "orthogonal" and network.nodes[i] not in heads]
    if mixed:
        products = response_scores(network, model, example, correlated=False)
        for i in mixed:
            found[i] = _mixed(network, network.nodes[i], products[i], found[i])
    tensors = values(model, network.weights)
    turning = {i: heads[node] for i, node in enumerate(network.nodes) if node in heads}
    for i, scores in zip(turning, head_responses(network, model, example, list(turning.values())), strict=True):
        if scores is not None:
            found[i] = next(fitted_heads(scores, turning[i], network.acting.group))
            tensors = turning[i].turned(tensors, _bases(found[i]))
    network.carry(tuple(one.representation for one in found))
    for number in range(ROUNDS):
        gained = False
        for i, node in enumerate(network.nodes):
            progress(f"weights of {node.made or 'the input'}, round {number + 1}")
            better = found[i]
            if i in turning:
                better, tensors = _turned(network, tensors, i, better, turning[i])
            if i not in turning or not turning[i].inside:
                better = _refined(network, tensors, i, better)
            gained = gained or better is not found[i]
            found[i] = better
        if not gained:
            break
    return found


def _proposed(network: Network, node: Unknown, scores: Array, kind: Kind) -> Found:
    signed = kind == "signed permutation"
    group = network.acting.group
    kind = "permutation" if kind == "orthogonal" else kind
    return _of_action(best_action(scores, group, signed=signed), kind, admissible_share(scores, group, signed=signed))


def _of_action(action: Action, kind: Kind, admissible: float) -> Found:
    return Found(action.representation(), kind, admissible, action.homomorphism_defect(), action.orbit_sizes())


def _mixed(network: Network, node: Unknown, scores: Array, instead: Found) -> Found:
    """Orthogonal matrices, or the permutation where there are none."""
    group = network.acting.group
    rho = orthogonal_action(scores.astype(np.float64), group, fixes_ones="ones" in node.needs)
    if rho is None:
        return Found(
            instead.representation, instead.kind, instead.admissible, instead.defect, instead.orbits, converged=False
        )
    return _of_matrices(network, rho, instead.admissible)


def _of_matrices(network: Network, rho: Array, admissible: float) -> Found:
    group = network.acting.group
    return Found(matrices_representation(rho, group), "orthogonal", admissible, homomorphism_defect(rho, group), {})


def _refined(network: Network, tensors: Mapping[str, torch.Tensor], number: int, now: Found) -> Found:
    """``now``, or what there is more evidence for in the weights."""
    group, node = network.acting.group, network.nodes[number]
    before = evidence(network, tensors, number)
    scores = weight_scores(network, tensors, number)
    if not scores.any():
        return now
    tries: list[Found] = []
    if now.kind == "orthogonal" or not now.converged:
        for mixed in (scores, scores + now.representation.matrix(group.elements()).numpy() * np.abs(scores).max()):
            rho = orthogonal_action(mixed, group, fixes_ones="ones" in node.needs)
            if rho is not None:
                tries.append(_of_matrices(network, rho, now.admissible))
    else:
        signed = now.kind == "signed permutation"
        start = _action_of(network, now.representation)
        other = _of_action(best_action(scores, group, signed=signed, start=start), now.kind, now.admissible)
        tries.append(replace(other, bases=now.bases))
    best, kept = now, before
    for other in tries:
        _put(network, number, other)
        found = evidence(network, tensors, number)
        if found > kept + GAIN * max(abs(kept), 1.0):
            best, kept = other, found
    _put(network, number, best)
    return best


def _turned(
    network: Network, tensors: dict[str, torch.Tensor], number: int, now: Found, heads: Heads
) -> tuple[Found, dict[str, torch.Tensor]]:
    """``now``, or what there is more evidence for in the weights of heads, and the weights in its bases."""
    scores = head_weight_scores(network, tensors, heads)
    if not scores.any():
        return now, tensors
    best, kept, turned = now, evidence(network, tensors, number), tensors
    start = None if heads.inside else _action_of(network, now.representation)
    for other in fitted_heads(scores, heads, network.acting.group, start):
        trial = heads.turned(tensors, _bases(other))
        _put(network, number, other)
        found = evidence(network, trial, number)
        if found > kept + GAIN * max(abs(kept), 1.0):
            before = now.bases
            bases = _bases(other) if before is None else _bases(other) @ before
            admissible = other.admissible if before is None else now.admissible
            best, kept, turned = replace(other, bases=bases, admissible=admissible), found, trial
    _put(network, number, best)
    return best, turned


def _bases(found: Found) -> Array:
    if found.bases is None:
        raise AssertionError("heads were fitted without bases")
    return found.bases


def _put(network: Network, number: int, found: Found) -> None:
    network.nodes[number].bound = carried(found.representation)


def _action_of(network: Network, rep: Representation) -> Action:
    group = network.acting.group
    table = rep.signed_permutations(group.element_matrices())
    if table is None:
        size = rep.dim
        images = np.tile(np.arange(size), (group.order, 1))
        return Action(group, images, np.ones_like(images))
    return Action(group, table[0], table[1])
