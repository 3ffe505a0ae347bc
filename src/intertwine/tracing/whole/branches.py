"""Whether a function hands values to Python, which may go another way at others."""

from typing import Any

from torch.overrides import TorchFunctionMode

from intertwine.tracing.function_names import READ

# A way that depends on the sign of a number is the same one in so many draws by chance only, one in a thousand.
DRAWS = 10


class Reading(TorchFunctionMode):
    """Sees whether what runs inside reads values.

    Examples:
        >>> import torch
        >>> with Reading() as reading:
        ...     x = 2 * torch.ones(2) if torch.ones(()) > 0 else torch.ones(2)
        >>> reading.seen
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One call."""
        self.seen |= getattr(func, "__name__", "") in READ
        return func(*args, **(kwargs or {}))
