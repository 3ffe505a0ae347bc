"""Measurements and reports: how far a function is from equivariant, and which weights are why."""

from intertwine.diagnostics.environment import environment
from intertwine.diagnostics.equivariance_error import EquivarianceError, equivariance_error
from intertwine.diagnostics.html import Bar, PictureSection, TableSection, TextSection, render_html
from intertwine.diagnostics.parameter_report import PairShare, ParameterReport
from intertwine.diagnostics.plots import plot_report
from intertwine.diagnostics.report import Report, report
from intertwine.diagnostics.unanalysed import Unanalysed

__all__ = [
    "Bar",
    "EquivarianceError",
    "PairShare",
    "ParameterReport",
    "PictureSection",
    "Report",
    "TableSection",
    "TextSection",
    "Unanalysed",
    "environment",
    "equivariance_error",
    "plot_report",
    "render_html",
    "report",
]
