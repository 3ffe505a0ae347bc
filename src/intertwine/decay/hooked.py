"""What acts through the hooks before and after an optimiser's steps: how it is taken off, copied and unpickled."""

from typing import Any, ClassVar

import torch


class Hooked:
    """Has ``optimizer`` call ``_before_step`` and ``_after_step``, once ``_register`` was called.

    Copied or unpickled *together* with its optimiser it registers anew, as torch leaves an optimiser's hooks behind.
    In a compiled step the two run as they are: what they look up in a model is nothing for a graph.
    """

    # What a copy makes anew.
    left: ClassVar[tuple[str, ...]] = ("_handles",)
    optimizer: torch.optim.Optimizer

    def remove(self) -> None:
        """Takes the hooks off the optimiser; the weights stay as they are."""
        for handle in self._handles:
            handle.remove()

    def _register(self) -> None:
        self._handles = (
            self.optimizer.register_step_pre_hook(torch.compiler.disable(self._before_step)),
            self.optimizer.register_step_post_hook(torch.compiler.disable(self._after_step)),
        )

    def _before_step(self, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _after_step(self, *_: object) -> None:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        active = all(handle.id in (handle.hooks_dict_ref() or {}) for handle in self._handles)
        return {name: value for name, value in vars(self).items() if name not in self.left} | {"active": active}

    def __setstate__(self, state: dict[str, Any]) -> None:
        active = state.pop("active")
        vars(self).update(state)
        self._register()
        if not active:
            self.remove()
