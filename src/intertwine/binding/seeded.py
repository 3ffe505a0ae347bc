"""A scope in which torch's global generators are seeded, and after which they are as they were."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from intertwine._arguments import check_instance


@contextmanager
def seeded(generator: torch.Generator | None, devices: Iterable[torch.device]) -> Iterator[None]:
    """Seeds torch's global generators of the CPU and of ``devices`` (CUDA, XPU) with one draw from ``generator``.

    ``reset_parameters`` draws from the global generators and takes no other.

    Args:
        generator: what the seed is drawn from; torch's default generator, which moves on by that draw, if None.
        devices: where the parameters lie.
    """
    if generator is not None:
        check_instance("generator", generator, torch.Generator, "a torch.Generator, or None")
    seed = int(torch.randint(2**62, (), generator=generator, device="cpu" if generator is None else generator.device))
    accelerators = sorted({(d.type, d.index) for d in devices if d.type in ("cuda", "xpu") and d.index is not None})
    kind = accelerators[0][0] if accelerators else "cuda"
    with torch.random.fork_rng([index for _, index in accelerators], device_type=kind):
        torch.default_generator.manual_seed(seed)
        for name, index in accelerators:
            module = getattr(torch, name)
            with module.device(index):
                module.manual_seed(seed)
        yield
