"""Molecules and graphs that the cases of several packages share."""

import torch


def molecule(atoms: int = 8, elements: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Atomic numbers 1, ..., and positions (atoms, 3) about as far apart as atoms are."""
    generator = torch.Generator().manual_seed(0)
    numbers = 1 + torch.arange(atoms) % elements
    return numbers, 1.5 * torch.randn(atoms, 3, generator=generator)


def edges(positions: torch.Tensor, radius: float = 5.0) -> torch.Tensor:
    """Pairs (2, edges) that are closer than ``radius``, sources first, in the order of their targets."""
    close = torch.cdist(positions, positions) < radius
    target, source = torch.where(close & ~torch.eye(len(positions), dtype=torch.bool))
    return torch.stack((source, target))


def radius_graph(
    positions: torch.Tensor, r: float, batch: object = None, loop: bool = False, **_: object
) -> torch.Tensor:
    """In place of the compiled function of that name, in plain torch; for one molecule."""
    close = torch.cdist(positions, positions) < r
    if not loop:
        close = close & ~torch.eye(len(positions), dtype=torch.bool)
    target, source = torch.where(close)
    return torch.stack((source, target))


def nearest(positions: torch.Tensor, k: int) -> torch.Tensor:
    """Pairs (2, k * atoms) of each atom with those next to it, sources first."""
    distances = torch.cdist(positions, positions) + 1e6 * torch.eye(len(positions))
    source = distances.topk(k, largest=False).indices
    target = torch.arange(len(positions))[:, None].expand_as(source)
    return torch.stack((source.flatten(), target.flatten()))


def triplets(edge_index: torch.Tensor, num_nodes: int) -> tuple[torch.Tensor, ...]:
    """In place of the function of that name that needs a compiled sparse tensor: k -> j -> i for every two edges."""
    j, i = edge_index
    ji, kj = torch.where(j[:, None] == i[None, :])
    apart = i[ji] != j[kj]
    ji, kj = ji[apart], kj[apart]
    return i, j, i[ji], j[ji], j[kj], kj, ji
