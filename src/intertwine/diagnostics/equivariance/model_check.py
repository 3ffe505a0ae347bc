"""Whether a model is equivariant, what breaks it, and what would be left after projection."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from intertwine._arguments import check_generator, check_instance
from intertwine.binding import Binding, bind
from intertwine.binding.swapped import equivariant_weights
from intertwine.diagnostics.equivariance.equivariance_error import equivariance_error
from intertwine.diagnostics.equivariance.measured_error import EquivarianceError
from intertwine.diagnostics.reports.check_page import check_sections
from intertwine.diagnostics.reports.check_table import layer_table
from intertwine.diagnostics.reports.check_values import check_values, error_text
from intertwine.diagnostics.reports.html import render_html, write_page
from intertwine.diagnostics.reports.measure_report import report
from intertwine.diagnostics.reports.report import Report
from intertwine.errors import IntertwineError, listing
from intertwine.groups import Group
from intertwine.tracing.models.preserved import preserved

# What is printed of each list, and of the layers.
SHOWN, SHOWN_LAYERS = 12, 40
# Larger models are not searched for their worst blocks.
SPLIT = 2**25


@dataclass(frozen=True, eq=False)
class ModelCheck:
    """What ``check`` found; it prints as a report.

    Attributes:
        binding: the types, inferred from one run: penalty, decay and projection start from it.
        error: of the model as it stands.
        projected_error: of a copy with projected weights: what no training of these weights can remove; None if the
            weights cannot be projected.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> found = check(layer, rep_in=V, rep_out=V, example=torch.randn(8, 4))
        >>> found.share_typed, float(found.projected_error) < 1e-5 < float(found.error)
        (1.0, True)
        >>> found.to_dict()["verdict"].startswith("As it stands the model's output is off by")
        True
        >>> found.to_html().startswith("<!doctype html>")
        True
    """

    binding: Binding
    error: EquivarianceError
    projected_error: EquivarianceError | None

    @property
    def share_typed(self) -> float:
        """The share of the model's parameter entries that are typed or free to take any value."""
        sizes = {name: tensor.numel() for name, tensor in self.binding.model.named_parameters()}
        total = sum(sizes.values())
        return 1.0 - sum(sizes.get(name, 0) for name in self.binding.unaccounted) / total if total else 1.0

    @cached_property
    def report(self) -> Report:
        """The residual of each typed parameter, beside chance; measured when first asked for.

        Which blocks are worst is left out in models of more than 33 million typed weights, where it takes a while.
        """
        return report(self.binding, split=sum(tensor.numel() for _, tensor in self.binding.tensors()) <= SPLIT)

    def layers(self, shown: int = SHOWN_LAYERS) -> str:
        """The layers as text, in the order of the run: rank, residual and chance of those that are not equivariant."""
        return layer_table(self.to_dict()["parameters"], shown)

    def to_dict(self) -> dict[str, Any]:
        """All that was found as plain values, ready for JSON: the page is made of them too."""
        projected = None if self.projected_error is None else self.projected_error.to_dict()
        return check_values(self.binding, self.error.to_dict(), projected, self.report, self.share_typed)

    def to_html(self, path: str | Path | None = None, *, title: str = "") -> str:
        """A self-contained page; written to ``path`` if given, and returned.

        Raises:
            ArgumentError: ``path`` is no file that can be written.
            MissingExtraError: jinja2 is not installed.
        """
        values = self.to_dict()
        page = render_html(
            title or self.report.heading,
            check_sections(values, self.report.kernels),
            lead=values["verdict"],
            environment=values["environment"],
        )
        if path is not None:
            write_page(path, page)
        return page

    def __str__(self) -> str:
        binding = self.binding
        after = "not measured" if self.projected_error is None else error_text(self.projected_error.relative_worst)
        said = f"error {error_text(self.error.relative_worst)} as it stands, {after} with equivariant weights"
        if not self.error.tested:
            said = "nothing was tested, as every element leaves the inputs and outputs alone"
        lines = [
            f"{type(binding.model).__name__} under {binding.group}: {said}",
            f"{len(binding)} tensors typed, {len(binding.free)} free, {100 * self.share_typed:.1f} % of the parameters",
        ]
        parts = (
            ("what breaks the symmetry outside the weights", [str(one) for one in binding.breakers]),
            ("notes", list(binding.notes)),
            ("not typed", [f"{name} {shape}" for name, shape in binding.unaccounted.items()]),
        )
        for title, texts in parts:
            if texts:
                lines += [f"{title}:", *(f"  {text}" for text in texts[:SHOWN])]
                if len(texts) > SHOWN:
                    lines.append(f"  and {len(texts) - SHOWN} more")
        unknown = binding.inference.unknown if binding.inference is not None else {}
        if unknown:
            lines.append(f"functions without a rule, whose results have a proposed type: {listing(unknown)}")
        return "\n".join(lines)


def check(  # noqa: PLR0913 - a keyword for each thing that may be said of a model
    model: nn.Module,
    *,
    rep_in: object,
    rep_out: object,
    example: Any,
    hidden: Callable[[int], object] | None = None,
    group: Group | None = None,
    overrides: Mapping[str, object] | None = None,
    rules: Mapping[Any, Any] | None = None,
    num_samples: int | None = None,
    generator: torch.Generator | None = None,
) -> ModelCheck:
    """Is this model equivariant, and if not, what breaks it?

    The model is typed from one run (``bind``), every call in it repeated on moved arguments, and the error of the whole
    measured twice: as it stands, and with projected weights. The first says what the model has, the second
    what its architecture allows. The model itself is left as it was.

    Args:
        model: any module.
        rep_in: how the group acts on the example, as for ``bind``.
        rep_out: on the output.
        example: what the model takes.
        hidden: width of hidden features to their representation.
        group: where neither end has a representation.
        overrides: names typed by hand.
        rules: rules of layers and functions of your own.
        num_samples: elements to measure the two errors with, as for ``equivariance_error``.
        generator: seeds the sampling.

    Raises:
        ArgumentError, ShapeError, GroupMismatchError: as ``bind`` and ``equivariance_error``.

    Source:
        Own: each call is judged on exact images of its arguments, so that errors do not add up.

    Examples:
        >>> import intertwine as iw, torch
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, stride=2), torch.nn.ReLU(), torch.nn.AvgPool2d(7))
        >>> images = iw.on_grid(3 * iw.Dihedral(4).trivial())
        >>> x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> found = check(net, rep_in=images, rep_out=iw.on_grid(2 * iw.Dihedral(4).regular()), example=x)
        >>> [breaker.reason.split(". ")[1] for breaker in found.binding.breakers]
        ['Use 15 or 17 pixels in place of 16, or another stride or kernel.']
    """
    # Both errors are those of the same elements.
    check_generator("generator", generator)
    check_instance("model", model, nn.Module, "a torch.nn.Module")
    with preserved(model):
        binding = bind(
            model,
            rep_in=rep_in,
            rep_out=rep_out,
            hidden=hidden,
            example=example,
            group=group,
            overrides=overrides,
            rules=rules,
        )
        seed = int(torch.randint(2**62, (), generator=generator))

        def measured() -> EquivarianceError:
            same = torch.Generator().manual_seed(seed)
            return equivariance_error(
                model, rep_in, rep_out, example, num_samples=num_samples, generator=same, group=binding.group
            )

        error, projected = measured(), None
        with suppress(IntertwineError), equivariant_weights(binding):
            projected = measured()
    return ModelCheck(binding, error, projected)
