"""A model in eval mode for as long as it is measured, run on copies of its inputs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from intertwine.tracing.models.inner_modules import inner_modules
from intertwine.tracing.models.value_trees import copied


@contextmanager
def evaluating(function: object) -> Iterator[None]:
    """Eval mode for the modules of ``function``, each put back as it was, and no gradients.

    Parameters get back the ``.grad`` that they had, whatever ``function`` does inside.
    """
    modules = list(function.modules()) if isinstance(function, nn.Module) else []
    modes = [module.training for module in modules]
    parameters = {parameter for module in inner_modules(function).values() for parameter in module.parameters()}
    grads = [(parameter, parameter.grad) for parameter in parameters]
    try:
        if isinstance(function, nn.Module):
            function.eval()
        for parameter, grad in grads:
            if grad is not None:  # gradients would be added to it in place
                parameter.grad = None
        with torch.inference_mode(False), torch.no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for parameter, grad in grads:
            if parameter.grad is not grad:
                parameter.grad = grad


class Runner:
    """Calls a function on copies of its inputs: a tuple as ``f(*x)``, a dictionary as ``f(**x)``, else ``f(x)``.

    Without gradients, unless the function fails without and runs with them, as one does that differentiates inside
    (forces are minus the gradient of an energy).
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.gradients = False

    def __call__(self, x: object) -> object:
        if self.gradients:
            return self._with_gradients(x)
        try:
            return _call(self.function, copied(x))
        except RuntimeError:
            pass
        result = self._with_gradients(x)
        self.gradients = True
        return result

    def _with_gradients(self, x: object) -> object:
        with torch.enable_grad():
            return _call(self.function, copied(x))


def _call(function: Callable[..., object], x: object) -> object:
    if type(x) is tuple:
        return function(*x)
    return function(**x) if isinstance(x, Mapping) else function(x)
