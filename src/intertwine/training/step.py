"""One training step with any method, and the memory that it takes."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from intertwine._arguments import check_dense, check_function, check_instance
from intertwine.errors import ArgumentError, ShapeError
from intertwine.training.hooks import Hooks

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def training_step(
    method: Hooks, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, criterion: Criterion
) -> torch.Tensor:
    """One step on one batch; returns the task's loss without the method's term, detached, not waited for.

    Args:
        method: what is trained and how.
        optimizer: over ``method.parameter_groups()``, with the method attached.
        x: inputs.
        y: targets.
        criterion: ``(output, y) -> loss``, a scalar.

    Raises:
        ArgumentError: no method, no optimiser, no function or no dense tensors.
        ShapeError: not as many targets as inputs.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Plain, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> from intertwine.training import training_step
        >>> method = Plain(subject)
        >>> optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.1)
        >>> first, second = (training_step(method, optimizer, x, x, torch.nn.functional.mse_loss) for _ in range(2))
        >>> bool(second < first)
        True
    """
    if isinstance(method, type) or not hasattr(method, "batch"):
        expected = "a method, as intertwine.baselines.make_method gives"
        raise ArgumentError("method", expected=expected, got=type(method).__name__)
    steps = callable(getattr(optimizer, "step", None)) and callable(getattr(optimizer, "zero_grad", None))
    if isinstance(optimizer, type) or not steps:
        raise ArgumentError("optimizer", expected="a torch.optim.Optimizer", got=type(optimizer).__name__)
    check_samples(x, y)
    check_function("criterion", criterion, "a function (output, y) -> loss", takes=2)
    x, y = method.batch(x, y)
    output = method.model(x)
    task_loss = criterion(output, y)
    loss = method.total_loss(task_loss, x, output)
    optimizer.zero_grad()
    loss.backward()
    method.before_step()
    optimizer.step()
    return task_loss.detach()


def check_samples(x: torch.Tensor, y: torch.Tensor) -> None:
    """Whether x and y are tensors of equally many samples.

    Raises:
        ArgumentError: no dense tensors with values.
        ShapeError: not one target for each input.
    """
    lengths = []
    for name, tensor in (("x", x), ("y", y)):
        check_instance(name, tensor, torch.Tensor, "a torch tensor")
        check_dense(name, tensor, values=True)
        lengths.append(tuple(tensor.shape[:1]))
    if lengths[0] != lengths[1] or not lengths[0]:
        got = f"shapes {tuple(x.shape)} and {tuple(y.shape)}"
        raise ShapeError("y", expected="as many targets as x has inputs, on the first axes", got=got)


def peak_memory(work: Callable[[], object]) -> int:
    """Bytes of the tensors made by ``work()`` at the moment when most of them are alive.

    Counted from the storages that torch's operators return, on any device, so that it does not depend on the allocator;
    what an operator needs inside itself is not seen. Tensors from before do not count.

    Examples:
        >>> peak_memory(lambda: torch.ones(10).add(1).sum())  # ones are gone when the sum comes
        80
    """
    check_function("work", work, "a function without arguments", takes=0)
    counter = _StorageCounter()
    with counter:
        work()
    return counter.peak


class _StorageCounter(TorchDispatchMode):
    """Adds up the bytes of living storages that were made inside."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self._seen: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {id(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and id(tensor.untyped_storage()) not in before:
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: Any) -> None:
        if storage in self._seen:
            return
        size = storage.nbytes()
        self._seen[storage] = True
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.alive -= size
