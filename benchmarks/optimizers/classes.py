"""The optimiser classes of each package, and how each is made and stepped."""

import contextlib
import importlib
import inspect
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

# Module, and the name of its distribution.
PACKAGES = {
    "torch.optim": "torch",
    "schedulefree": "schedulefree",
    "prodigyopt": "prodigyopt",
    "prodigyplus": "prodigy-plus-schedule-free",
    "heavyball": "heavyball",
    "pytorch_optimizer": "pytorch-optimizer",
    "bitsandbytes.optim": "bitsandbytes",
    "lion_pytorch": "lion-pytorch",
}
LR = 0.01
# Steps of fixed length in each entry.
SIGNS = ("Lion", "Tiger", "SignSGD", "SignLaProp", "SPlus", "Ano")
# A default from here on is meant: Prodigy, D-Adaptation, Adadelta, LBFGS estimate or search the step.
MEANT = 0.1
# Bases of others, which no one makes.
NOT_CLASSES = ("Optimizer", "BaseOptimizer", "LRScheduler", "CoreOptimiser", "SOAPBase", "PSGDBase")


@dataclass(frozen=True)
class Candidate:
    """One class of one package."""

    package: str
    version: str
    name: str
    kind: Any

    @property
    def key(self) -> str:
        """Package, version and class."""
        return f"{self.package} {self.version} {self.name}"


def candidates(packages: list[str]) -> Iterator[Candidate]:
    """Every optimiser that the packages export, those that are not installed left out."""
    for package in packages:
        try:
            module, number = importlib.import_module(package), version(PACKAGES[package])
        except (ImportError, PackageNotFoundError):
            continue
        if package == "heavyball":
            module.utils.compile_mode = None
        seen: set[int] = set()
        for name, kind in sorted(vars(module).items()):
            if inspect.isclass(kind) and _is_optimizer(name, kind) and id(kind) not in seen:
                seen.add(id(kind))
                yield Candidate(package, number, name, kind)


def _is_optimizer(name: str, kind: Any) -> bool:
    wraps = any(hasattr(kind, part) for part in ("zero_grad", "param_groups"))
    schedules = hasattr(kind, "get_last_lr") or name.endswith(("LR", "Scheduler"))
    return hasattr(kind, "step") and wraps and not schedules and not name.startswith("_") and name not in NOT_CLASSES


def make(candidate: Candidate, layer: nn.Module) -> Any:
    """The optimiser of a layer's weight, in train mode; arguments that have no default are filled by their names."""
    parameters = inspect.signature(candidate.kind.__init__).parameters
    W = list(layer.parameters())
    given: dict[str, Any] = {
        # pytorch-optimizer's Muon and its kin want to be told which parameters are matrices of hidden layers.
        "params": [{"params": W, "use_muon": True}] if "use_adjusted_lr" in parameters else W,
        "model": layer,
        "optimizer": lambda: torch.optim.AdamW(W, lr=LR),
        "base": lambda: torch.optim.SGD(W, lr=MEANT),
        "base_optimizer": torch.optim.SGD,
        "num_data": 256,
        "num_iterations": 100,
    }
    arguments = {}
    for name, parameter in list(parameters.items())[1:]:
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD and name in given:
            value = given[name]
            arguments[name] = value() if callable(value) and not inspect.isclass(value) and name != "model" else value
    rate = learning_rate(candidate)
    if rate is not None:
        arguments["lr"] = rate
    if candidate.package == "bitsandbytes.optim" and "momentum" in parameters:
        arguments["momentum"] = 0.9  # there is no other SGD, nor LARS, in it
    if "min_8bit_size" in parameters:
        arguments["min_8bit_size"] = 0
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = candidate.kind(**arguments)
        switch(optimizer, "train")
    return optimizer


def switch(optimizer: Any, mode: str) -> None:
    """To ``train`` or ``eval`` mode, where it has them."""
    with contextlib.suppress(AttributeError):  # also of heavyball's SAMWrapper around one that has none
        getattr(optimizer, mode)()


def learning_rate(candidate: Candidate) -> float | None:
    """The rate that it is run with; None for wrappers."""
    parameters = inspect.signature(candidate.kind.__init__).parameters
    if "lr" not in parameters:
        return LR if "base_optimizer" in parameters else None
    default = parameters["lr"].default
    if isinstance(default, float | int) and default >= MEANT:
        return float(default)
    return LR / 10 if candidate.name.startswith(SIGNS) else LR


Loss = Callable[[], torch.Tensor]


def by_gradient(optimizer: Any, W: torch.Tensor, loss: Loss) -> None:
    """Backward, then ``step()``."""
    W.grad = None
    loss().backward()
    optimizer.step()


def by_closure(optimizer: Any, W: torch.Tensor, loss: Loss) -> None:
    """``step(closure)``."""

    def closure() -> torch.Tensor:
        W.grad = None
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def by_second_order(optimizer: Any, W: torch.Tensor, loss: Loss) -> None:
    """A backward pass that can be differentiated, then ``step()``."""
    W.grad = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss().backward(create_graph=True)
    optimizer.step()
    W.grad = None


def by_sparse_gradient(optimizer: Any, W: torch.Tensor, loss: Loss) -> None:
    """Backward, the gradient made sparse, then ``step()``."""
    W.grad = None
    loss().backward()
    W.grad = None if W.grad is None else W.grad.to_sparse(1)
    optimizer.step()


WAYS = (by_gradient, by_closure, by_second_order, by_sparse_gradient)
