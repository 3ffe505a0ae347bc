"""Which optimiser takes the decay's hook: the one that was given, or the one that it wraps."""

from typing import Any

import torch

from intertwine.errors import ArgumentError

# Where wrappers keep what they wrap.
INSIDE = ("optimizer", "base", "base_optimizer", "wrapped_optimizer")


def passed_through(optimizer: Any) -> Any:
    """What a wrapper hands everything to that has nothing of its own.

    accelerate's has ``train`` and ``eval`` whatever it wraps, which says nothing of averages.
    """
    while type(optimizer).__module__.partition(".")[0] == "accelerate" and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


def hooked_optimizer(optimizer: object) -> torch.optim.Optimizer:
    """The optimiser whose step the decay follows.

    A wrapper without hooks (accelerate's, schedulefree's) gives the one inside. So does one that also swaps averages
    into the parameters (``train`` and ``eval``): while the optimiser inside takes its step they hold the sequence that
    is averaged, where the decay is right by itself. Any other wrapper (lookahead, SAM) moves the parameters after the
    optimiser inside, and is followed itself.

    Raises:
        ArgumentError: neither it nor what it wraps is an optimiser with hooks.
    """
    found: Any = passed_through(optimizer)
    # A wrapper of a wrapper of a wrapper is as far as anybody goes.
    for _ in range(4):
        inside = next((o for name in INSIDE if _is_hookable(o := getattr(found, name, None)) or _wraps(o)), None)
        if _is_hookable(found) and not (keeps_averages(found) and _is_hookable(inside)):
            return found
        if inside is None:
            break
        found = inside
    raise ArgumentError(
        "optimizer",
        expected="a torch.optim.Optimizer",
        got=type(optimizer).__name__,
        advice="Of a wrapper give the optimiser inside.",
    )


def keeps_averages(optimizer: object) -> bool:
    """Whether it puts other weights into the model for evaluation, as schedule-free optimisers do."""
    return callable(getattr(optimizer, "eval", None)) and callable(getattr(optimizer, "train", None))


def _is_hookable(optimizer: Any) -> bool:
    # Wrappers inherit the method without the dictionaries that it writes to.
    hooks = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
    return hasattr(optimizer, "param_groups") and all(hasattr(optimizer, name) for name in hooks)


def _wraps(optimizer: Any) -> bool:
    return any(_is_hookable(getattr(optimizer, name, None)) for name in INSIDE)
