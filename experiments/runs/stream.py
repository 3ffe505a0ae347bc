"""Random numbers by purpose: what one part of a run draws does not depend on how much another has drawn."""

from collections.abc import Sequence

import numpy as np
import torch


def purpose_stream(purposes: Sequence[str], seed: int, purpose: str) -> torch.Generator:
    """The generator of one purpose of one seed; tasks bind their own list of purposes.

    Args:
        purposes: of the task, in an order that stays.
        seed: of the run.
        purpose: one of them.

    Examples:
        >>> draws = [purpose_stream(("split", "weights"), 0, name) for name in ("split", "weights", "split")]
        >>> first, second, third = (torch.rand((), generator=draw) for draw in draws)
        >>> bool(first == third), bool(first == second)
        (True, False)
    """
    state = np.random.SeedSequence([seed, purposes.index(purpose)]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
