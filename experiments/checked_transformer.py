"""The demo's last step: is a model that is there already equivariant? ``iw.check`` on ``torch.nn.Transformer``."""

import time
from pathlib import Path

import torch
from torch import nn

import intertwine as iw

PAGE = "check.html"
TITLE = "torch.nn.Transformer under a mirror"


def check_transformer(out: Path) -> str:
    """Checks a transformer as torch makes it, and writes the page of the check.

    A mirror exchanges the two features of each pair, as those of the left and of the right of a robot. Positions of
    the sequences stay.

    Args:
        out: folder for ``check.html``.

    Returns:
        What was found, as text, with the seconds that it took and the path of the page.

    Raises:
        ArgumentError: ``out`` cannot be written to.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Transformer(d_model=256, batch_first=True)
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randn(2, length, 256, generator=generator) for length in (10, 6))
    pairs = 128 * iw.Mirror("x").regular()
    start = time.perf_counter()
    found = iw.check(model, rep_in=(pairs, pairs), rep_out=pairs, example=(source, target))
    path = out / PAGE
    found.to_html(path, title=f"Equivariance of {TITLE}")
    seconds = time.perf_counter() - start
    head = f"And a model as it is, {TITLE} (checked in {seconds:.0f} s):"
    return f"{head}\n{found}\n{found.layers(shown=8)}\n{found.to_dict()['verdict']}\n{path}"
