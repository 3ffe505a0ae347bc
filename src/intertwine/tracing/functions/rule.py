"""The form of a rule."""

from collections.abc import Callable
from typing import Any

# rule(ctx, out, *args, **kwargs) -> the axes of each tensor of the output, nested as the output is. ``args`` are the
# function's own, ``out`` is what it returned; real tensors all.
Rule = Callable[..., Any]
