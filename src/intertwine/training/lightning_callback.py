"""A callback of Lightning: a regularisation on the trainer's optimisers, in its checkpoints and its loggers."""

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

import torch

from intertwine._arguments import check_choice, integer
from intertwine.binding import Binding
from intertwine.errors import ArgumentError
from intertwine.training.extras import imported
from intertwine.training.regularization import Regularization

Package = Literal["lightning", "pytorch_lightning"]
# Where each package has its callbacks.
ROOMS = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}


def lightning_callback(
    binding: Binding | Sequence[Binding],
    *,
    log_every: int | None = None,
    targets: Any = None,
    per_tensor: bool = True,
    package: Package | None = None,
    **options: Any,
) -> Any:
    """A ``lightning.pytorch.Callback`` that regularises a training: ``Trainer(callbacks=[lightning_callback(...)])``.

    It attaches a ``Regularization`` to the trainer's optimisers when a fit starts and takes it off when it ends. That
    acts by hooks of the optimisers: automatic and manual optimisation, several optimisers (each decays what it holds),
    accumulation, clipping and mixed precision are as without it. Averages (``WeightAveraging``,
    ``StochasticWeightAveraging``) take up weights behind the decay, wherever this callback stands in the list.

    Its state goes into checkpoints, so that a fit from one goes on exactly. It logs ``scalars`` to the trainer's
    loggers and ``callback_metrics``, where other callbacks find ``"equivariance/residual"`` to monitor.

    Args:
        binding: a ``Binding`` of the LightningModule or of a model inside it, or a sequence of them.
        log_every: numbers are logged every so many updates; the trainer's ``log_every_n_steps`` if None, never if 0.
        targets: as of ``scalars``.
        per_tensor: likewise.
        package: ``"lightning"`` or ``"pytorch_lightning"``, whose callback this is; if None the one that is imported,
            or installed, lightning before the other.
        options: ``decay``, ``penalty``, ``form`` and ``every``, as of ``Regularization``.

    Returns:
        The callback; ``callback.regularization`` is what it holds.

    Raises:
        MissingExtraError: neither package is there.
        ArgumentError: as ``Regularization``; when a fit starts as its ``attach``, and where an average stands before
            this callback with ``every`` > 1, as steps that wait would be taken on the average then.

    Warns:
        DecayWarning: the model that a fit leaves is not equivariant at infinite strength, as after an average that
            took in weights from before the first step (SWA's from its first epoch on).

    Examples:
        >>> import intertwine as iw, pytest, torch
        >>> L = pytest.importorskip("lightning.pytorch")
        >>> from intertwine.training import lightning_callback
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> callback = lightning_callback(iw.bind(layer, {"": (V, V)}), decay=10.0)
        >>> isinstance(callback, L.Callback), callback.regularization.steps
        (True, 0)
    """
    if log_every is not None:
        integer("log_every", log_every, 0)
    if package is not None:
        check_choice("package", package, tuple(ROOMS))
    regularization = Regularization(binding, **options)
    return _callback_class(package or _package())(regularization, log_every, targets, per_tensor)


def _package() -> Package:
    """The package to take, as the user's trainer is of one of the two."""
    known: tuple[Package, ...] = ("lightning", "pytorch_lightning")
    return next((name for name in known if name in sys.modules), "lightning")


@cache
def _callback_class(package: Package) -> type:
    base: type = imported(ROOMS[package], "lightning").Callback
    return type("EquivarianceCallback", (LightningHooks, base), {"package": package})


def _rebuilt(package: Package, state: dict[str, Any]) -> Any:
    callback: Any = object.__new__(_callback_class(package))
    vars(callback).update(state)
    return callback


class LightningHooks:
    """The hooks of the callback; its class is made from them when Lightning is there."""

    package: Package

    def __init__(self, regularization: Regularization, log_every: int | None, targets: Any, per_tensor: bool) -> None:
        self.regularization = regularization
        self._log_every, self._targets, self._per_tensor = log_every, targets, per_tensor
        self._logged = -1

    @property
    def state_key(self) -> str:
        """Of the state in a checkpoint: several callbacks are told apart by their groups."""
        return f"EquivarianceCallback({', '.join(str(bound.group) for bound in self.regularization.bindings)})"

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        del pl_module
        if self.regularization.every > 1:
            before = trainer.callbacks[: trainer.callbacks.index(self)]
            average = next((type(other).__name__ for other in before if "WeightAverag" in _names(other)), None)
            if average is not None:
                raise ArgumentError(
                    "callbacks",
                    expected=f"this one before {average}, as every={self.regularization.every} leaves steps to the end",
                    got="the average first",
                    advice="Put it first in Trainer(callbacks=[...]).",
                )
        self.regularization.attach(*trainer.optimizers)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        del pl_module
        steps = self.regularization.steps
        every = trainer.log_every_n_steps if self._log_every is None else self._log_every
        # Micro-batches of an accumulation end too.
        if not every or steps == self._logged or steps % every:
            return
        self._logged = steps
        values = self.regularization.scalars(targets=self._targets, per_tensor=self._per_tensor)
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in values.items()})
        # As Lightning counts what it logs: updates, with several optimisers batches that had any.
        index = getattr(trainer.fit_loop.epoch_loop, "_batches_that_stepped", trainer.global_step - 1)
        for logger in trainer.loggers:
            logger.log_metrics(values, step=index)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        del trainer, pl_module
        self.regularization.finish()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        del trainer, pl_module
        if stage == "fit":
            # Averages have been put into the model by now.
            self.regularization.warn_unprojected()
            self.regularization.remove()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        del trainer, pl_module, exception
        self.regularization.remove()

    def state_dict(self) -> dict[str, Any]:
        return self.regularization.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.regularization.load_state_dict(state_dict)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.package, vars(self))

    def __repr__(self) -> str:
        return f"EquivarianceCallback({self.regularization})"


def _names(other: object) -> str:
    return " ".join(kind.__name__ for kind in type(other).__mro__)
