"""accelerate: a regularisation on prepared optimisers, in the accelerator's checkpoints."""

from collections.abc import Sequence
from typing import Any

from intertwine._arguments import check_instance
from intertwine.binding import Binding
from intertwine.errors import ArgumentError
from intertwine.training.extras import imported
from intertwine.training.regularization import Regularization


def accelerated(
    accelerator: Any, optimizers: Any, binding: Binding | Sequence[Binding], **options: Any
) -> Regularization:
    """A ``Regularization`` on the optimisers of an ``accelerate.Accelerator``, which its checkpoints hold.

    It acts once an update: not in micro-batches of an accumulation, not in steps that a scaler skips, and with the same
    strength in a last group that is not full (where accelerate weakens the whole loss). Log by
    ``accelerator.log(regularization.scalars(), step=...)``, and call ``finish()`` after the last step.

    Args:
        accelerator: an ``accelerate.Accelerator``.
        optimizers: what ``accelerator.prepare`` gave, or a sequence of them.
        binding: a ``Binding`` of the model, or a sequence of them; made before or after ``prepare``.
        options: ``decay``, ``penalty``, ``form`` and ``every``, as of ``Regularization``.

    Returns:
        The regularisation, attached and registered for checkpointing. Call this in the same order before
        ``accelerator.load_state``.

    Raises:
        MissingExtraError: accelerate is not there.
        ArgumentError: as ``Regularization`` and its ``attach``; parameters that FSDP or DeepSpeed shard.

    Examples:
        >>> import intertwine as iw, pytest, torch
        >>> accelerate = pytest.importorskip("accelerate")
        >>> from intertwine.training import accelerated
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> binding, accelerator = iw.bind(layer, {"": (V, V)}), accelerate.Accelerator(cpu=True)
        >>> model, optimizer = accelerator.prepare(layer, torch.optim.Adam(layer.parameters()))
        >>> regularization = accelerated(accelerator, optimizer, binding, decay=float("inf"))
        >>> accelerator.backward(model(torch.ones(4)).sum())
        >>> optimizer.step()
        >>> binding.residuals()["weight"].relative_residual < 1e-6
        True
    """
    kind = imported("accelerate", "accelerate").Accelerator
    check_instance("accelerator", accelerator, kind, "an accelerate.Accelerator")
    engine = str(getattr(accelerator.distributed_type, "value", "")).upper()
    if engine in ("DEEPSPEED", "MEGATRON_LM"):
        raise ArgumentError(
            "accelerator",
            expected="one whose optimisers are torch's, with hooks",
            got=engine,
            advice="Data parallelism (DDP) is no obstacle.",
        )
    found = optimizers if isinstance(optimizers, list | tuple) else (optimizers,)
    regularization = Regularization(binding, **options).attach(*found)
    accelerator.register_for_checkpointing(regularization)
    return regularization
