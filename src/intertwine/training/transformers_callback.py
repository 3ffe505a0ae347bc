"""A callback of the Trainer of transformers: a regularisation on its optimiser, in its checkpoints and its logs."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from intertwine.binding import Binding
from intertwine.errors import ArgumentError
from intertwine.training.extras import imported
from intertwine.training.regularization import Regularization


def transformers_callback(
    binding: Binding | Sequence[Binding], *, targets: Any = None, per_tensor: bool = True, **options: Any
) -> Any:
    """A ``transformers.TrainerCallback`` that regularises a training; put in place by ``callback.add_to(trainer)``.

    It attaches a ``Regularization`` to the Trainer's optimiser when training begins. That acts by hooks of the
    optimiser, once an update, so that the strength of a penalty is the one that is said: in ``compute_loss`` it is as
    many times too strong as there are micro-batches where the model's ``forward`` takes ``**kwargs``, as all models of
    transformers do, because the Trainer then leaves the division to the model.

    Its state goes into ``trainer_state.json``, and training from a checkpoint goes on exactly. Numbers of ``scalars``
    stand beside the loss in each log, ``trainer.state.log_history`` included.

    Args:
        binding: a ``Binding`` of the Trainer's model or of a part of it, or a sequence of them.
        targets: as of ``scalars``.
        per_tensor: likewise.
        options: ``decay``, ``penalty``, ``form`` and ``every``, as of ``Regularization``.

    Returns:
        The callback; ``callback.regularization`` is what it holds. ``Trainer(callbacks=[callback])`` does the same but
        for the logs: integrations (TensorBoard, W&B) stand before it then and log without its numbers, which is warned
        of.

    Raises:
        MissingExtraError: transformers is not there.
        ArgumentError: as ``Regularization``; when training begins as its ``attach``.

    Examples:
        >>> import intertwine as iw, pytest, torch
        >>> transformers = pytest.importorskip("transformers")
        >>> from intertwine.training import transformers_callback
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> callback = transformers_callback(iw.bind(layer, {"": (V, V)}), decay=10.0)
        >>> isinstance(callback, transformers.TrainerCallback), callback.regularization.steps
        (True, 0)
    """
    room = imported("transformers.trainer_callback", "transformers")
    Regularization(binding, **options)

    def make(self: TrainerHooks) -> None:
        TrainerHooks.__init__(self, Regularization(binding, **options), targets, per_tensor)

    # A Trainer that restores callbacks makes them anew, without arguments.
    kind = type("EquivarianceCallback", (TrainerHooks, room.TrainerCallback, room.ExportableState), {"__init__": make})
    return kind()


class TrainerHooks:
    """The hooks of the callback; its class is made from them when transformers is there."""

    def __init__(self, regularization: Regularization, targets: Any, per_tensor: bool) -> None:
        self.regularization, self._targets, self._per_tensor = regularization, targets, per_tensor
        self._trainer: Any = None

    def add_to(self, trainer: Any) -> "TrainerHooks":
        """Puts it in front of the Trainer's callbacks, so that all integrations log its numbers.

        Raises:
            ArgumentError: no Trainer.
        """
        callbacks = getattr(getattr(trainer, "callback_handler", None), "callbacks", None)
        if callbacks is None:
            raise ArgumentError("trainer", expected="a transformers.Trainer", got=type(trainer).__name__)
        callbacks[:] = [self, *(other for other in callbacks if other is not self)]
        self._trainer = trainer
        return self

    @property
    def progress(self) -> dict[str, Any]:
        """The state of the regularisation, as checkpoints hold it."""
        return self.regularization.state_dict()

    @progress.setter
    def progress(self, state: Mapping[str, Any]) -> None:
        self.regularization.load_state_dict(state)

    def state(self) -> dict[str, Any]:
        """What the Trainer writes into ``trainer_state.json``."""
        return {"args": {}, "attributes": {"progress": self.progress}}

    def on_train_begin(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
        del control
        saved = state.stateful_callbacks.get(type(self).__name__) if state.global_step else {}
        if isinstance(saved, list):
            raise ArgumentError(
                "callbacks",
                expected="one EquivarianceCallback",
                got="several, whose states cannot be told apart",
                advice="One takes several bindings, and a decay beside a penalty.",
            )
        self.regularization.remove()
        # Also where the Trainer does not restore callbacks, its default; a training from its beginning counts anew.
        self.regularization.load_state_dict(saved["attributes"]["progress"] if saved else {})
        self.regularization.attach(optimizer)
        if args.report_to and self._trainer is None:
            warnings.warn(
                f"{', '.join(args.report_to)} will log without the numbers of {self!r}, which stands behind: put it in "
                "front by callback.add_to(trainer).",
                stacklevel=2,
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        del args, control
        # Before the last checkpoint and evaluation.
        if state.global_step >= state.max_steps:
            self.regularization.finish()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        del args, control
        if logs is not None and "loss" in logs:
            values = self.regularization.scalars(targets=self._targets, per_tensor=self._per_tensor)
            logs.update(values)
            # Its last entry is a copy of `logs` from before.
            state.log_history[-1].update(values)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        del control
        # Weights of the best checkpoint have been put in place by now, on which nothing waits.
        if not (args.load_best_model_at_end and state.best_model_checkpoint):
            self.regularization.finish()
        self.regularization.remove()

    def __repr__(self) -> str:
        return f"EquivarianceCallback({self.regularization})"
