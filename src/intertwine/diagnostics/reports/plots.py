"""Pictures of a report."""

from typing import Any

from intertwine._arguments import check_instance
from intertwine.diagnostics.reports.report import Report
from intertwine.errors import missing_extra

COLOURS = {"kept": "#2e9e6b", "approximate": "#e0a526", "chance": "#d3524b"}


def plot_report(report: Report) -> Any:
    """Relative residual of every typed parameter as a bar, its chance level as a tick, on [0, 1].

    Returns:
        A matplotlib figure that belongs to no window; save it with ``figure.savefig(path)``.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> figure = plot_report(iw.report(iw.bind(layer, {"": (V, V)})))
        >>> len(figure.axes)
        1
    """
    check_instance("report", report, Report, "a Report, as iw.report(binding) makes")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "report") from error
    count = len(report.parameters)
    figure = Figure(figsize=(7.0, 1.3 + 0.3 * count), layout="constrained")
    axes = figure.add_subplot()
    relative = [entry.relative_residual for entry in report.parameters]
    chance = [entry.chance for entry in report.parameters]
    colours = [COLOURS[entry.level] for entry in report.parameters]
    axes.barh(range(count), relative, color=colours, height=0.6)
    axes.plot(
        chance,
        range(count),
        linestyle="none",
        marker="|",
        markersize=13,
        markeredgewidth=2,
        color="#1d2430",
        clip_on=False,
        label="chance",
    )
    axes.set_yticks(range(count), [entry.name for entry in report.parameters])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel="|W - PW| / |W|", title=report.heading)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
