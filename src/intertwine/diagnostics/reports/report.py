"""What a report on a binding holds, as text, as a table and as a page."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from intertwine.diagnostics.pictures.kernel_parts import KernelParts
from intertwine.diagnostics.reports.between_layers import LayerVerdict
from intertwine.diagnostics.reports.html import render_html, write_page
from intertwine.diagnostics.reports.kernel_section import kernel_section
from intertwine.diagnostics.reports.parameter_report import ParameterReport, number
from intertwine.diagnostics.reports.sections import Bar, Quantity, Section, TableSection, TextSection
from intertwine.diagnostics.reports.text import plain_table, rich_table, to_text
from intertwine.diagnostics.reports.unanalysed import Unanalysed
from intertwine.errors import missing_extra

_BETWEEN = ("layer", "kind", "acts on", "verdict", "why, and what to do")


@dataclass(frozen=True)
class Report:
    """What ``report(binding)`` found; it prints as a table.

    Attributes:
        group: name of the group.
        model: class of the model.
        parameters: one entry a typed parameter, in the binding's order.
        unaccounted: ``(name, shape)`` of every parameter without a representation.
        between: a verdict on every norm layer and pointwise function whose input has a known type.
        unanalysed: modules that no type reaches, which may break the symmetry where W = PW does not.
        environment: versions and machine.
        kernels: some channels of a few convolution kernels, for pictures.

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
        >>> binding = iw.bind(net, {"0": (V, 2 * V), "2": (2 * V, V)})
        >>> found = iw.report(binding)
        >>> found.heading, found.typed_numel, found.unaccounted_numel
        ('Equivariance of Sequential under C4', 76, 0)
        >>> sorted(found.to_dict()["totals"])
        ['chance', 'norm', 'relative_residual', 'residual', 'typed_numel', 'unaccounted_numel']
    """

    group: str
    model: str
    parameters: tuple[ParameterReport, ...]
    unaccounted: tuple[tuple[str, tuple[int, ...]], ...]
    between: tuple[LayerVerdict, ...]
    unanalysed: tuple[Unanalysed, ...]
    environment: dict[str, str]
    kernels: tuple[KernelParts, ...] = field(default=(), repr=False, compare=False)

    @property
    def norm(self) -> float:
        """``|W|`` of all typed parameters together."""
        return math.hypot(*(entry.norm for entry in self.parameters))

    @property
    def residual(self) -> float:
        """``|W - P W|`` of all typed parameters together."""
        return math.hypot(*(entry.residual for entry in self.parameters))

    @property
    def relative_residual(self) -> float:
        """``|W - P W| / |W|`` of all typed parameters together, 0 for W = 0."""
        return self.residual / self.norm if self.norm else 0.0

    @property
    def chance(self) -> float:
        """``sqrt(1 - rank / numel)`` of all typed parameters together."""
        numel = self.typed_numel
        return float(max(0.0, 1 - sum(entry.rank for entry in self.parameters) / numel) ** 0.5) if numel else 0.0

    @property
    def typed_numel(self) -> int:
        """Number of weights that carry a representation."""
        return sum(entry.numel for entry in self.parameters)

    @property
    def unaccounted_numel(self) -> int:
        """Number of weights that do not."""
        return sum(math.prod(shape) for _, shape in self.unaccounted)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        totals = {
            "norm": self.norm,
            "residual": self.residual,
            "relative_residual": self.relative_residual,
            "chance": self.chance,
            "typed_numel": self.typed_numel,
            "unaccounted_numel": self.unaccounted_numel,
        }
        unaccounted = [{"name": name, "shape": list(shape)} for name, shape in self.unaccounted]
        values = asdict(replace(self, kernels=()))
        del values["kernels"]  # pictures
        return _listed(values) | {"totals": totals, "unaccounted": unaccounted}

    def to_dataframe(self) -> Any:
        """A pandas data frame with a row per typed parameter.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise missing_extra("pandas", "report") from error
        return pd.DataFrame(
            [asdict(entry) | {"worst": str(entry.worst[0]) if entry.worst else ""} for entry in self.parameters]
        )

    def to_html(self, path: str | Path | None = None, *, title: str = "Equivariance report") -> str:
        """A self-contained page; written to ``path`` if given, and returned.

        Raises:
            ArgumentError: ``path`` is no file that can be written.
            MissingExtraError: jinja2 is not installed.
        """
        page = render_html(title, self.sections(), environment=self.environment)
        if path is not None:
            write_page(path, page)
        return page

    @property
    def heading(self) -> str:
        """``"Equivariance of Sequential under C4"``."""
        return f"Equivariance of {self.model} under {self.group}"

    def summary(self) -> list[str]:
        """The lines below the table: totals, what is unaccounted, what is not analysed, what is not exact."""
        beside = f"{number(self.relative_residual)} (chance {self.chance:.3f})"
        lines = [f"typed: {self.typed_numel} weights in {len(self.parameters)} tensors, relative residual {beside}"]
        if self.unaccounted:
            names = ", ".join(f"{name} {shape}" for name, shape in self.unaccounted)
            lines.append(f"unaccounted: {self.unaccounted_numel} weights without a representation: {names}")
        else:
            lines.append("unaccounted: none")
        if self.between:
            lines.append("between typed layers:")
            lines += [f"  {verdict}" for verdict in self.between]
        if self.unanalysed:
            lines.append("not analysed (no representation known; equivariance_error measures the whole model):")
            lines += [f"  {module.name}: {module.kind}, {module.note}" for module in self.unanalysed]
        return lines + [f"{entry.name}: not exact, {entry.reason}" for entry in self.parameters if not entry.exact]

    def sections(self) -> list[Section]:
        """The sections of ``to_html``, for pages that hold a report among other things."""
        columns = (
            "parameter",
            "acts on",
            "shape",
            "rank / numel",
            "method",
            "|W|",
            "|W−PW|",
            "relative residual",
            "chance",
            "worst blocks",
        )
        rows = [
            (
                entry.name,
                " ← ".join(entry.axes),
                "×".join(map(str, entry.shape)),
                Quantity(f"{entry.rank}\u00a0/\u00a0{entry.numel}", entry.rank / max(1, entry.numel)),
                entry.method if entry.exact else f"{entry.method} (not exact: {entry.reason})",
                Quantity(f"{entry.norm:.3g}", entry.norm),
                Quantity(f"{entry.residual:.2e}", entry.residual),
                Bar(number(entry.relative_residual), entry.relative_residual, entry.chance, entry.level),
                f"{entry.chance:.3f}",
                ", ".join(map(str, entry.worst)).replace("<-", "←"),
            )
            for entry in self.parameters
        ]
        total = f"All typed weights: relative residual {number(self.relative_residual)}, chance {self.chance:.3f}."
        key = (
            "The bar is |W−PW| / |W| from 0 to 1, the tick the chance level, where random weights stand. Green: kept; "
            "amber: approximate; red: at chance. Worst blocks: shares of |W−PW|² by irreps, output ← input."
        )
        found: list[Section] = [TableSection(self.heading, columns, rows, (total, key))]
        if self.unaccounted:
            names = [(name, "×".join(map(str, shape))) for name, shape in self.unaccounted]
            note = f"{self.unaccounted_numel} weights have no representation: nothing above speaks of them."
            found.append(TableSection("Unaccounted", ("tensor", "shape"), names, (note,)))
        else:
            found.append(TextSection("Unaccounted", ["None: every parameter has a representation."]))
        if self.between:
            verdicts = [
                (layer.name, layer.kind, layer.acts_on, layer.verdict, f"{layer.reason} {layer.advice}".strip())
                for layer in self.between
            ]
            found.append(TableSection("Between typed layers", _BETWEEN, verdicts))
        if self.unanalysed:
            modules = [(module.name, module.kind, module.note) for module in self.unanalysed]
            note = (
                "No representation is known for these modules, nor for functions called inside forward(). "
                "equivariance_error measures the whole model."
            )
            found.append(
                TableSection("Not analysed", ("module", "kind", "what equivariance asks of it"), modules, (note,))
            )
        if self.kernels:
            found.append(kernel_section(self.kernels))
        return found

    def __str__(self) -> str:
        try:
            return to_text(self)
        except ModuleNotFoundError:
            return self.plain()

    def plain(self) -> str:
        """The text without rich: plain columns."""
        return plain_table(self.heading, self.parameters, self.summary())

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield rich_table(self.heading, self.parameters, self.summary(), options.max_width)


def _listed(value: Any) -> Any:
    """Tuples as lists, so that a dict equals what comes back from JSON."""
    if isinstance(value, dict):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, list | tuple) else value
