"""Rules of torch functions: what the axes of a result are, and what that asks of the arguments. One family a file."""

from intertwine.tracing.functions import (
    attention,
    combine,
    convolution,
    derivatives,
    fourier,
    index,
    joins,
    linear,
    normalisation,
    ordering,
    pointwise,
    pooling,
    recurrent,
    reduction,
    reshape,
    vectors,
)
from intertwine.tracing.functions.rule import Rule

# Functions by name, as `record.function_name` gives it: `torch.add`, `Tensor.add` and `+` are one.
RULES: dict[str, Rule] = {
    **pointwise.RULES,
    **combine.RULES,
    **linear.RULES,
    **convolution.RULES,
    **pooling.RULES,
    **normalisation.RULES,
    **reshape.RULES,
    **index.RULES,
    **joins.RULES,
    **ordering.RULES,
    **reduction.RULES,
    **attention.RULES,
    **vectors.RULES,
    **recurrent.RULES,
    **derivatives.RULES,
    **fourier.RULES,
}

# What makes a tensor of its own, though it may take a tensor's shape: a constant.
CREATED = frozenset(
    [
        "zeros",
        "ones",
        "empty",
        "full",
        "arange",
        "linspace",
        "logspace",
        "eye",
        "rand",
        "randn",
        "randint",
        "randperm",
        "zeros_like",
        "ones_like",
        "empty_like",
        "full_like",
        "rand_like",
        "randn_like",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_full",
        "new_tensor",
        "from_numpy",
        "scalar_tensor",
        "tril_indices",
        "triu_indices",
        "hann_window",
        "bernoulli",
        "normal",
        "one_hot_like",
    ]
)

__all__ = ["CREATED", "RULES", "Rule"]
