"""Whether data have a symmetry: a two-sample test of the data against what a group makes of them."""

from collections.abc import Callable

import numpy as np
import torch

from intertwine._arguments import check_function, check_generator, integer
from intertwine.diagnostics.data.energy_distance import energy_coefficients, row_chunks
from intertwine.diagnostics.data.found_symmetry import DataSymmetry, ElementTest, Verdict
from intertwine.diagnostics.data.samples import Samples, random_subset, read_blocks, read_samples
from intertwine.errors import ArgumentError, ShapeError
from intertwine.groups import Group

# Random signed permutations of the features whose median distance is the control, and fewest units that are dealt out.
CONTROLS, FEWEST = 5, 8
# Standard deviations below this part of a feature's largest value are rounding.
CONSTANT = 1e-10


def data_symmetry(  # noqa: PLR0913 - a measurement says all that it depends on
    x: torch.Tensor,
    rep: object,
    y: torch.Tensor | None = None,
    rep_y: object = None,
    *,
    num_permutations: int = 999,
    num_samples: int = 4,
    level: float = 0.05,
    blocks: object = None,
    max_points: int | None = 4000,
    generator: torch.Generator | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> DataSymmetry:
    r"""Whether the distribution of data, or the relation of x to y, is unchanged by a group: ``g x ~ x``.

    Is the mirror that a robot's policy is typed by the mirror of the robot? Each generator g is held against the data:
    a random half of the samples stays, :math:`A = \{x_i\}`, the other half is moved, :math:`B = \{g x_j\}`. If the
    symmetry holds, A and B are independent samples of one distribution, so that their labels may be dealt out anew
    at will: the share of such dealings whose energy distance reaches the one found (with this one counted in) is a
    p-value, exact for any sample size. With y, the pairs (x, y) are moved to (g x, g y): if ``y = f(x) + noise``,
    ``f(g x) = g f(x)`` and x is symmetric, their joint distribution is unchanged. A relation can be judged only where
    x itself passes, which is tested first.

    Features are divided by their standard deviation over both halves (as moved), so that units do not matter. The
    distance is the energy coefficient, 0 for equal and 1 for wholly different samples. Beside it stands that of a wrong
    group, the element followed by a random signed permutation of the features (median of five): if it is no larger
    than chance, such data cannot tell symmetries apart.

    Distances take ``max_points^2`` operations per feature and permutation; they are computed in pieces of 32 MB.

    Args:
        x: samples, shape (n, ..., rep.dim), or images (n, channels, *pixels) for ``iw.on_grid(rep)``.
        rep: how the group acts on x: a representation on the last axis, or ``iw.on_grid(rep)``.
        y: what belongs to each sample, shape (n, ..., rep_y.dim), such as actions, forces or labels.
        rep_y: the same for y.
        num_permutations: how often labels are dealt out; the smallest p-value is ``1 / (num_permutations + 1)``.
        num_samples: how many random elements are tested besides the discrete generators of a Lie group.
        level: the rate of false alarms over all elements of one column ``of`` together.
        blocks: shape (n,), a number for each sample, alike for samples that depend on one another (steps of one
            trajectory): blocks are dealt out as wholes.
        max_points: a random subset of so many samples is used (whole blocks); None: all.
        generator: torch generator on the CPU for halves, labels and controls; torch's default one if None.
        progress: called with pieces done and pieces in all, as in ``progress=print``.

    Raises:
        ShapeError: x or y does not fit its representation, or they differ in length.
        GroupMismatchError: the representations are of different groups.
        NonFiniteError: NaN or infinity.
        ArgumentError, DtypeError: anything else that is not as described.

    Source:
        Szekely and Rizzo 2013, "Energy statistics: a class of statistics based on distances"; Chiu and Bloem-Reddy
        2023, "Hypothesis tests for distributional group symmetry with applications to particle physics".

    Examples:
        >>> import intertwine as iw, torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> G = iw.Mirror()
        >>> phase = 6.28 * torch.rand(600, generator=draw)
        >>> swing = torch.stack([torch.sin(phase), -torch.sin(phase), phase.cos(), phase.sin()], 1)  # two legs, a clock
        >>> swing = swing + 0.1 * torch.randn(swing.shape, generator=draw)
        >>> right, wrong = (G.permutation([[1, 0]]) + clock for clock in (G.irreps("2xodd"), G.irreps("2xeven")))
        >>> [iw.data_symmetry(swing, rep, generator=draw).tests[0].verdict for rep in (right, wrong)]
        ['no difference', 'differs']
    """
    samples = read_samples(x, rep, y, rep_y)
    group, count = samples[0].group, len(samples[0].values)
    num_permutations = integer("num_permutations", num_permutations, 1)
    limit = count if max_points is None else integer("max_points", max_points, FEWEST)
    elements = _elements(group, integer("num_samples", num_samples, 0), generator)
    _check_options(level, generator, progress)
    units = read_blocks(blocks, count)
    kept = random_subset(units, limit, generator)
    units = torch.unique(units[kept], return_inverse=True)[1]
    total = len(torch.unique(units))
    if total < FEWEST:
        expected = f"at least {FEWEST} {'samples' if blocks is None else 'blocks'}"
        raise ShapeError("x" if blocks is None else "blocks", expected=expected, got=f"{total}")
    samples = tuple(part.taken(kept) for part in samples)
    # Which samples stay: the first column as it is, the others dealt out anew.
    deals = [torch.randperm(total, generator=generator) < total // 2 for _ in range(num_permutations + 1)]
    stays = torch.stack(deals, 1)[units].to(samples[0].values.device)
    scopes = [("x", samples[:1])] + ([("x and y", samples)] if len(samples) > 1 else [])
    advance = _ticks(progress, len(scopes) * len(elements) * (1 + CONTROLS) * row_chunks(len(kept)))
    tests = []
    for of, chosen in scopes:
        for g in elements:
            points = _points(chosen, g, stays[:, 0])
            numbers = _measure(points, stays, level / len(elements), generator, advance)
            tests.append(ElementTest(of, samples[0].text(g), *numbers))
    return DataSymmetry(str(group), tuple(tests), len(kept), total, num_permutations, level)


def _measure(
    points: torch.Tensor,
    stays: torch.Tensor,
    level: float,
    generator: torch.Generator | None,
    advance: Callable[[], None] | None,
) -> tuple[float, float, float, float, Verdict]:
    """Distance, chance, control, p-value and verdict of ``points`` (n, dim): what stays and what was moved."""
    distances = energy_coefficients(points, stays, advance)
    found, dealt = float(distances[0]), distances[1:]
    p_value = (1 + int((dealt >= found * (1 - 1e-12)).sum())) / (1 + len(dealt))
    chance = float(torch.quantile(dealt, 0.95))
    actual = stays[:, :1]
    wrong = (torch.where(actual, points, _scramble(points, generator)) for _ in range(CONTROLS))
    control = float(np.median([float(energy_coefficients(rows, actual, advance)[0]) for rows in wrong]))
    unseen: Verdict = "no difference" if control > chance else "cannot tell"
    return found, chance, control, p_value, "differs" if p_value <= level else unseen


def _points(samples: tuple[Samples, ...], g: torch.Tensor, stays: torch.Tensor) -> torch.Tensor:
    """The samples, those that do not stay moved by g, as rows of features of standard deviation 1."""
    columns = []
    for part in samples:
        rows = torch.where(stays[:, None], part.values.flatten(1), part.moved(g).flatten(1))
        rows = torch.view_as_real(rows.resolve_conj()).flatten(1) if rows.is_complex() else rows
        deviation = rows.std(0)
        # What rounding makes of a constant feature is no feature. x and y weigh alike, however wide they are.
        constant = deviation <= CONSTANT * rows.abs().amax(0)
        columns.append(rows * torch.where(constant, 0, 1 / deviation) / rows.shape[1] ** 0.5)
    return torch.cat(columns, 1)


def _scramble(points: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """The points under a random signed permutation of their features, not the identity."""
    dim = points.shape[1]
    order = torch.randperm(dim, generator=generator)
    signs = 2.0 * torch.randint(2, (dim,), generator=generator).double() - 1
    if bool((order == torch.arange(dim)).all() and (signs > 0).all()):
        signs = -signs
    return points[:, order.to(points.device)] * signs.to(points.device)


def _elements(group: Group, num_samples: int, generator: torch.Generator | None) -> list[torch.Tensor]:
    """The discrete generators, and random elements where there is a Lie algebra."""
    found = list(group.generators)
    if len(group.algebra_matrices()):
        found += list(group.sample(num_samples, generator=generator))
    if not found:
        raise ArgumentError("rep", expected="a group with an element to test", got=str(group))
    return found


def _check_options(level: object, generator: object, progress: object) -> None:
    if not isinstance(level, float) or not 0 < level < 1:
        raise ArgumentError("level", expected="a rate between 0 and 1, such as 0.05", got=repr(level))
    check_generator("generator", generator)
    if progress is not None:
        check_function("progress", progress, "a function of pieces done and of all, or None", takes=2)


def _ticks(progress: Callable[[int, int], object] | None, total: int) -> Callable[[], None] | None:
    if progress is None:
        return None
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    return advance
