"""What norm layers and pointwise functions between typed layers do to the features that really reach them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd, _AvgPoolNd, _MaxPoolNd

from intertwine._numerics import INPUT_TOLERANCE
from intertwine.binding import Binding
from intertwine.diagnostics.models.model_layers import kind_name
from intertwine.layers.channels.checks import check_pointwise
from intertwine.layers.grid.finding import Finding, Verdict
from intertwine.layers.norms import NORM_TYPES, statistics
from intertwine.layers.typed import Ends
from intertwine.nn.pointwise_activation import is_odd
from intertwine.representations import Representation

POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Softplus, nn.Sigmoid, nn.LogSigmoid, nn.Hardswish, nn.Hardsigmoid, nn.Threshold, nn.Tanh, nn.Hardtanh),
    *(nn.Softsign, nn.Tanhshrink, nn.Softshrink, nn.Hardshrink),
)
# The largest of each channel: not odd, and features must be permuted.
LARGEST = (_MaxPoolNd, _AdaptiveMaxPoolNd)
# They treat every channel alike and linearly: averages and resizing of pixels, and what does nothing in eval mode.
CHANNELWISE = (
    *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout),
    *(_AvgPoolNd, _AdaptiveAvgPoolNd, nn.Upsample, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
)

# Above this dimension two representations are not compared matrix by matrix.
_COMPARED = 512


@dataclass(frozen=True)
class Carried:
    """The type of features: how the group acts on their channels, and, on another axis, as ``over``.

    Attributes:
        rep: how it acts on the channels.
        over: how it acts on another axis, as in ``Typed``; None: on none.
        behind: name of the typed module that they come from.
    """

    rep: Representation
    over: Representation | None
    behind: str

    def __str__(self) -> str:
        return str(self.rep) if self.over is None else f"{self.rep} over {self.over}"


@dataclass(frozen=True)
class LayerVerdict:
    """What a layer, or a function called in one, does to features of a known type.

    Attributes:
        name: of the module in the model, where the function is called.
        kind: its class, or the function's name with ``()``.
        behind: name of the typed module from which the features come.
        acts_on: their type.
        verdict: ``"keeps"``, ``"breaks"``, ``"depends"``: on weights or statistics of its own, or ``"unknown"``: a
            function without a rule stands between two typed layers.
        reason: why; empty where it keeps.
        advice: what to do; empty where nothing is to be done.

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
        >>> binding = iw.bind(net, {"0": (V, 2 * V), "2": (2 * V, V)})
        >>> verdict = iw.report(binding).between[0]
        >>> verdict.name, verdict.kind, verdict.behind, verdict.acts_on, verdict.verdict
        ('1', 'ReLU', '0', '2xregular', 'keeps')
    """

    name: str
    kind: str
    behind: str
    acts_on: str
    verdict: Verdict
    reason: str
    advice: str

    def __str__(self) -> str:
        said = "".join(f" {text}" for text in (self.reason and f"{self.reason}.", self.advice) if text)
        source = f" behind {self.behind!r}" if self.behind else ""
        return f"{self.name}: {self.kind}{source} acts on {self.acts_on}: {self.verdict}.{said}"


def pointwise_finding(function: Any, carried: Carried, *, odd: bool | None = None) -> Finding:
    """``y_i = f(x_i)``; whether f is odd is tried on numbers if not given."""
    odd = is_odd(function) if odd is None else odd
    for rep in (carried.rep, carried.over):
        ok, reason = (True, "") if rep is None else check_pointwise(rep, odd=odd)
        if not ok:
            signed = not odd and check_pointwise(carried.rep, odd=True)[0]
            signed = signed and (carried.over is None or check_pointwise(carried.over, odd=True)[0])
            first = "Use an odd function such as tanh, " if signed else "Use "
            return Finding("breaks", reason, f"{first}iw.nn.Gate or iw.nn.NormActivation.")
    return Finding("keeps", "")


def largest_finding(function: Any, carried: Carried) -> Finding:
    """The largest over positions, or a softmax: every channel alike, and not odd; no activation takes its place."""
    found = pointwise_finding(function, carried, odd=False)
    if found.verdict == "keeps":
        return found
    advice = "Pool by averages, which keep every type, and take a softmax of invariant features alone."
    return Finding(found.verdict, found.reason, advice)


def norm_finding(module: nn.Module, carried: Carried) -> Finding:
    """A norm layer, or one made for a function; with weights or running statistics of its own it depends on them."""
    found = statistics(module, carried.rep, carried.over)
    if not found.keeps:
        return Finding("breaks", found.reason, found.advice)
    if found.reason:
        return Finding("depends", f"exact in eval mode, but {found.reason}", found.advice)
    return Finding("keeps", "")


def module_finding(module: nn.Module, carried: Carried, *, typed: bool) -> Finding:
    """A norm layer or a pointwise activation on features of a known type; ``typed``: its own weights are."""
    if isinstance(module, LARGEST):
        return largest_finding(module, carried)
    pointwise = isinstance(module, POINTWISE)
    found = pointwise_finding(module, carried) if pointwise else norm_finding(module, carried)
    own = [name for name, tensor in (*module._parameters.items(), *module._buffers.items()) if _is_varying(tensor)]
    if found.verdict != "keeps" or typed or not own:
        return found
    advice = "Type its weight by name, with iw.diagonal_projector(rep)." if pointwise else "Type it too."
    return Finding("depends", f"its {', '.join(own)} must be equivariant as well", advice)


def _is_varying(tensor: torch.Tensor | None) -> bool:
    return tensor is not None and tensor.is_floating_point() and tensor.numel() > 1


class Verdicts:
    """Verdicts on a model's layers as types reach them, each once.

    Attributes:
        found: the verdicts, in the order in which they came.
        ends: types of modules by name, those of linear layers whose weight is typed by its name among them.
    """

    def __init__(self, binding: Binding) -> None:
        self.found: dict[LayerVerdict, None] = {}
        self.ends = dict(binding.ends)
        self._typed = {entry.module for entry in binding.entries}
        for entry in binding.entries:
            axes = entry.projector.axes
            linear = entry.attribute == "weight" and type(entry.owner(binding.model)) is nn.Linear
            if linear and entry.module not in self.ends and len(axes) == 2 and axes[0] and axes[1]:
                self.ends[entry.module] = Ends(axes[1].dual(), axes[0])

    def note(self, name: str, kind: str, carried: Carried, finding: Finding) -> None:
        """One more verdict."""
        where = name or "(the model)"
        said = (finding.verdict, finding.reason, finding.advice)
        self.found[LayerVerdict(where, kind, carried.behind, str(carried), *said)] = None

    def through(self, name: str, module: nn.Module, carried: Carried | None) -> Carried | None:
        """The type behind a module that is judged as a whole: a typed one, a norm layer, one of ``intertwine.nn``."""
        behind = "" if carried is None else carried.behind
        if name in self.ends:
            ends = self.ends[name]
            own = Carried(ends.rep_in, ends.over, behind)
            self._compare(name, module, carried, own)
            if not isinstance(module, NORM_TYPES):
                return Carried(ends.rep_out, ends.over, name)
            self.note(name, kind_name(module), own, module_finding(module, own, typed=True))
            return own
        if type(module).__module__.startswith("intertwine.nn"):
            rep_in, rep_out = getattr(module, "rep_in", None), getattr(module, "rep_out", None)
            if isinstance(rep_in, Representation) and isinstance(rep_out, Representation):
                self._compare(name, module, carried, Carried(rep_in, None, behind))
                return Carried(rep_out, None, name)
        norm = isinstance(module, (*NORM_TYPES, nn.PReLU))
        if carried is None or not norm or _features(module) not in (None, carried.rep.dim):
            return None
        self.note(name, kind_name(module), carried, module_finding(module, carried, typed=name in self._typed))
        return carried

    def _compare(self, name: str, module: nn.Module, carried: Carried | None, own: Carried) -> None:
        """Whether a module gets what its type says; nothing is known of another width or axis."""
        if carried is None or carried.over != own.over or carried.rep.dim != own.rep.dim:
            return
        if carried.rep == own.rep or _same_action(carried.rep, own.rep):
            return
        finding = Finding("breaks", f"its own type takes {own}", "Give both layers one type for these features.")
        self.note(name, kind_name(module), carried, finding)


def sequential_verdicts(binding: Binding) -> tuple[LayerVerdict, ...]:
    """The verdicts that the order of layers in each ``nn.Sequential`` tells, without a run."""
    verdicts = Verdicts(binding)
    visited: set[str] = set()

    def walk(name: str, module: nn.Sequential, carried: Carried | None) -> Carried | None:
        visited.add(name)
        for key, child in module.named_children():
            full = f"{name}.{key}" if name else key
            if isinstance(child, nn.Sequential) and full not in verdicts.ends:
                carried = walk(full, child, carried)
            elif carried is not None and isinstance(child, (*POINTWISE, *LARGEST)):
                verdicts.note(full, kind_name(child), carried, module_finding(child, carried, typed=False))
            elif not isinstance(child, CHANNELWISE):
                carried = verdicts.through(full, child, carried)
        return carried

    for name, module in binding.model.named_modules():
        if isinstance(module, nn.Sequential) and name not in visited:
            walk(name, module, None)
    return tuple(verdicts.found)


def _features(module: nn.Module) -> int | None:
    """How many features a norm layer or PReLU acts on; None: any number."""
    if isinstance(module, nn.PReLU):
        return None if module.num_parameters == 1 else int(module.num_parameters)
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        return int(module.normalized_shape[0])  # with pixels behind it, they are permuted and change nothing
    return int(getattr(module, "num_features", getattr(module, "num_channels", 0)))


def _same_action(one: Representation, other: Representation) -> bool:
    """Whether two representations of one dimension are the same matrices; of large ones that is not known."""
    if one.group != other.group:
        return False
    if one.dim > _COMPARED:
        return True
    first, second = one.as_field(), other.as_field()
    pairs = ((first.generator_images(), second.generator_images()), (first.algebra(), second.algebra()))
    return all(np.allclose(a, b, atol=INPUT_TOLERANCE) for a, b in pairs)
