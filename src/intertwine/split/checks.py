"""Which typed tensors have components that moments can be kept of."""

from collections.abc import Sequence

from intertwine.decay.targets import Target
from intertwine.errors import ArgumentError, listing


def check_targets(targets: Sequence[Target]) -> None:
    """Whether each typed tensor has moments.

    Raises:
        ArgumentError: it does not.
    """
    computed = [target.name for target in targets if target.is_parametrized]
    if computed:
        raise ArgumentError(
            "binding",
            expected="typed tensors that are parameters",
            got=f"{listing(computed)}, which a parametrisation computes",
            advice="Take AdamW with an EquivarianceDecay, which writes through right inverses.",
        )
    reasons = [target.reason for target in targets if target.reason]
    if reasons:
        raise ArgumentError(
            "binding",
            expected="projectors that commute, as along a chain of subgroups",
            got="; ".join(reasons),
            advice="EquivarianceDecay applies them in turn.",
        )
