"""A model in eval mode for as long as it is measured."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(function: object) -> Iterator[None]:
    """Eval mode for the modules of ``function``, each put back as it was, and no gradients."""
    modules = list(function.modules()) if isinstance(function, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        if isinstance(function, nn.Module):
            function.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
