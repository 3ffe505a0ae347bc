"""Which layers of a model break a symmetry of the grid outside their weights."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from intertwine._arguments import check_dense
from intertwine.diagnostics.grids.function_geometry import FunctionFinding, FunctionGeometry
from intertwine.diagnostics.grids.layer_finding import layer_finding
from intertwine.diagnostics.grids.pixel_symmetry import pixel_symmetry
from intertwine.diagnostics.models.model_layers import kind_name, model_layers
from intertwine.errors import ArgumentError, ShapeError
from intertwine.groups import Group
from intertwine.layers.grid.finding import Sides, Verdict, by
from intertwine.layers.grid.symmetry import Symmetry
from intertwine.layers.registry import grid_of, is_torchs_own
from intertwine.layers.rule import Rules, check_rules
from intertwine.tracing.models.evaluating import Runner, evaluating
from intertwine.tracing.models.value_trees import children, described


@dataclass(frozen=True)
class LayerGeometry:
    """What one layer does to the symmetry outside its weights, on the input that it really had.

    Attributes:
        name: of the module in the model.
        kind: its class, or the function that it calls, as ``interpolate()``.
        sides_in: its input's pixels along each axis.
        sides_out: its output's; none where it does away with them.
        verdict: ``"keeps"``: it commutes with the group where its weights are equivariant; ``"breaks"``: it does not,
            whatever they are; ``"depends"``: on the types of its neighbours; ``"unknown"``: not analysed.
        reason: why.
        advice: what to do; empty where there is nothing to do.

    Examples:
        >>> import intertwine as iw, torch
        >>> net = torch.nn.Conv2d(1, 1, 3, stride=2)
        >>> layer = iw.geometry(net, torch.zeros(1, 1, 8, 8), group=iw.Cyclic(4)).layers[0]
        >>> layer.kind, layer.sides_in, layer.sides_out, layer.verdict
        ('Conv2d', (8, 8), (3, 3), 'breaks')
    """

    name: str
    kind: str
    sides_in: Sides
    sides_out: Sides
    verdict: Verdict
    reason: str
    advice: str

    def __str__(self) -> str:
        said = f"{self.reason}. {self.advice}" if self.advice else f"{self.reason}."
        return f"{self.name} {self.kind}, {by(self.sides_in)} -> {by(self.sides_out)}: {self.verdict}. {said}"


@dataclass(frozen=True)
class Geometry:
    """What ``geometry`` found; it prints one line a layer.

    Attributes:
        group: name of the group.
        layers: every layer with spatial geometry, in the order of execution.

    Examples:
        >>> import intertwine as iw, torch
        >>> found = iw.geometry(torch.nn.Conv2d(1, 1, 3, stride=2), torch.zeros(1, 1, 8, 8), group=iw.Cyclic(4))
        >>> found.group, [layer.verdict for layer in found.layers]
        ('C4', ['breaks'])
    """

    group: str
    layers: tuple[LayerGeometry, ...]

    @property
    def breaking(self) -> tuple[LayerGeometry, ...]:
        """The layers that break the symmetry."""
        return tuple(layer for layer in self.layers if layer.verdict == "breaks")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        count = f"{len(self.breaking)} of {len(self.layers)} layers break {self.group} outside their weights"
        if not self.layers:
            count += "; nothing that moves pixels was seen, and iw.equivariance_error sees the whole model"
        return "\n".join([count, *(f"  {layer}" for layer in self.layers)])


def geometry(
    model: nn.Module, x: torch.Tensor, *, group: Group, space: object = None, rules: Rules | None = None
) -> Geometry:
    """Which layers of ``model`` break the symmetry outside their weights, when it is given ``x``.

    ``W = PW`` is not enough where the samples of a layer lie unevenly on the grid. The model runs once on x (eval mode,
    no gradients, restored), and each layer is judged by the sizes that it really met. With n pixels, padding p,
    kernel k, dilation d and stride s along an axis:

    * convolutions and poolings keep a reversal of the axis iff ``(n + 2p - d(k-1) - 1) % s == 0``: 65 pixels at stride
      2, not 64; ``ceil_mode`` and ``count_include_pad`` change nothing. ``padding="same"`` must meet an odd kernel or
      an even dilation;
    * transposed convolutions need ``output_padding=0``; adaptive pooling keeps every reversal; resizing keeps it by
      whole factors, and in linear and cubic modes to any ``size``;
    * axes that the group exchanges need equal settings; rows and columns of a rectangle are judged each by their own
      number of pixels, and only ``size=`` and ``Flatten`` need equal sides;
    * Flatten and PixelShuffle move pixels into channels: the group moves them there too, which the next layer's type
      must say.

    What is padded with (zeros, reflections, copies, the other end) does not matter to turns and mirrors. **Shifts** of
    periodic images (``space=iw.torus(n, n)``) are kept by circular padding, and by strides and poolings where they are
    by whole pixels of the output too: n pixels, of which a layer makes m, shifted by k, move its output by k m / n.

    Functions called inside a ``forward`` that is not torch's own are listed under the module that calls them:
    ``F.interpolate``, ``F.pad``, convolutions, poolings, pixel shuffles, and ``torch.roll`` (shifted windows lie
    symmetrically where twice the shift is a multiple of their side: an odd window has no half). A convolution of what
    was padded with zeros is judged with its padding. Every other function of one image (``x[..., ::2]``, ``x.unfold``,
    ``flip``, a Fourier transform) is run on a random image and on moved ones: what does not commute is ``"unknown"``,
    with its line of code, as what follows may make up for it. So are ``F.grid_sample`` and ``gather``, whatever their
    places, and images joined side by side. Reshaping (``x.flatten(1)``) and functions of several images
    (``x + positions``) cannot be seen here; ``equivariance_error`` sees the whole model. Norm layers and activations
    are in ``report``.

    Args:
        model: any module; called as ``model(x)``.
        x: a real input, (batch, channels, *pixels) with one to three axes of pixels; its numbers do not matter.
        group: the group; it must map pixels onto pixels.
        space: how it turns the axes, or ``iw.torus(...)``, whose group it then is; its standard representation if None.
        rules: what layers of your own do, ``{MyLayer: iw.LayerRule(grid=...)}``.

    Raises:
        ShapeError: x has no pixels, or not those of the torus.
        GroupMismatchError: ``space`` is of another group.
        ArgumentError: the model does not take x, the group does not map pixels onto pixels, ``space`` is needed, or
            nothing moves though the group is not trivial.

    Source:
        Own.

    Examples:
        >>> import intertwine as iw, torch
        >>> stem = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, stride=2, padding=3), torch.nn.MaxPool2d(3, 2, 1))
        >>> print(iw.geometry(stem, torch.zeros(1, 3, 64, 64), group=iw.Cyclic(4)).layers[0])
        0 Conv2d, 64 x 64 -> 32 x 32: breaks. axis 0: its samples miss the centre: (n + 2p - d(k-1) - 1) % s = (64 + 6
        - 6 - 1) % 2 = 1, not 0. Use 63 or 65 pixels in place of 64, or another stride or kernel.
        >>> iw.geometry(stem, torch.zeros(1, 3, 65, 65), group=iw.Cyclic(4)).breaking
        ()
        >>> shifts = iw.torus(64, 64)
        >>> circular = torch.nn.Conv2d(3, 8, 7, stride=2, padding=3, padding_mode="circular")
        >>> print(iw.geometry(circular, torch.zeros(1, 3, 64, 64), group=shifts.group, space=shifts).layers[0])
        (the model) Conv2d, 64 x 64 -> 32 x 32: breaks. a shift by 1 pixel along axis 0 would move its output by 1/2 of
        a pixel: only multiples of 2 pixels move it by whole ones. Measure the shifts that move both grids by whole
        pixels, 2 x 2 steps at a time, with space=iw.torus(32, 32).
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", expected="a torch.nn.Module", got=type(model).__name__)
    if not isinstance(group, Group):
        raise ArgumentError("group", expected="a group, such as Dihedral(4)", got=type(group).__name__)
    if not isinstance(x, torch.Tensor) or not 3 <= x.ndim <= 5:
        raise ShapeError(
            "x",
            expected="a tensor (batch, channels, *pixels) with one to three axes of pixels",
            got=f"shape {tuple(x.shape)}" if isinstance(x, torch.Tensor) else described(x),
            advice="Give a module that takes one image: one whose forward hands the other inputs to the model."
            if children(x) is not None
            else "",
        )
    check_dense("x", x)
    known = check_rules(rules)
    dim = x.ndim - 2
    symmetry = pixel_symmetry(group, space, tuple(x.shape[2:]))
    found: dict[LayerGeometry, None] = {}  # a module that is called twice on the same sides is listed once
    with evaluating(model), FunctionGeometry(model, dim, symmetry, known, _listed(found)):
        # After the functions': what a module has called is told before the module itself is judged.
        handles = [
            module.register_forward_hook(_watch(name, dim, symmetry, known, found), with_kwargs=True)
            for name, module, leaf in model_layers(model)
            if grid_of(module, known) is not None or (leaf and not isinstance(module, nn.Linear))
        ]
        try:
            Runner(model)((x,))
        except RuntimeError as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise ArgumentError(
                "x", expected="an input that the model takes", got=f"shape {tuple(x.shape)}, and {reason}"
            ) from error
        finally:
            for handle in handles:
                handle.remove()
    return Geometry(str(group), tuple(found))


def _listed(found: dict[LayerGeometry, None]) -> Callable[[FunctionFinding], None]:
    """Lists calls of functions, by the name of the module that makes them."""

    def tell(call: FunctionFinding) -> None:
        said = (call.finding.verdict, call.finding.reason, call.finding.advice)
        kind = call.function if call.function.startswith(("x.", "x[")) else f"{call.function}()"
        found[LayerGeometry(call.name or "(the model)", kind, call.sides_in, call.sides_out, *said)] = None

    return tell


def _watch(
    name: str, dim: int, symmetry: Symmetry, rules: Rules, found: dict[LayerGeometry, None]
) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        image = args[0] if args else kwargs.get("input")
        # Max pooling gives indices beside its output where asked to.
        result = output[0] if isinstance(output, tuple) and output else output
        if not isinstance(image, torch.Tensor) or not isinstance(result, torch.Tensor) or image.ndim != dim + 2:
            return
        sides_in = tuple(image.shape[2:])
        sides_out = tuple(result.shape[2:]) if result.ndim == dim + 2 else ()
        kind = kind_name(module)
        seen = (name or "(the model)", sides_in, sides_out)
        if not is_torchs_own(module) and any((one.name, one.sides_in, one.sides_out) == seen for one in found):
            return  # a function that it has called made the whole of its output, and is listed
        finding = layer_finding(module, sides_in, sides_out, symmetry, rules)
        if finding is not None:
            layer = LayerGeometry(
                name or "(the model)", kind, sides_in, sides_out, finding.verdict, finding.reason, finding.advice
            )
            found[layer] = None

    return hook
