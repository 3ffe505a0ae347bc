"""A model whose parameters carry projectors: what can be measured of it and done to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from intertwine._arguments import flag
from intertwine._numerics import in_own_precision
from intertwine.binding.entry import Entry
from intertwine.binding.forms import Form, is_due, no_penalty, penalty_of
from intertwine.binding.measure import Residual, free_axes, measure
from intertwine.binding.names import nearest
from intertwine.binding.seeded import seeded
from intertwine.binding.strengths import Strength, entry_strengths
from intertwine.binding.writing import change_, check_invertible, check_stored, check_values, draw_, draws_of
from intertwine.errors import UnknownNameError, listing
from intertwine.groups import Group
from intertwine.groups.element_text import space_text
from intertwine.layers.channels.output_fields import project_at_scale, project_keeping_norms
from intertwine.layers.rule import Rules
from intertwine.layers.typed import Ends
from intertwine.projectors.norms.joint import JointMaps
from intertwine.tracing.broken_call import BrokenCall
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.inference import Inference


@dataclass(frozen=True, eq=False, repr=False)
class Binding:
    """Typed parameters of a model; made by ``intertwine.bind``.

    It refers to the model and to its parameters by name, and registers nothing: state dicts, ``model.to()`` and
    optimisers do not see it. Copying both together, ``copy.deepcopy((model, binding))``, keeps them together;
    ``dataclasses.replace(binding, model=other)`` types another model of the same structure.

    Attributes:
        model: the model.
        entries: one ``Entry`` a typed tensor.
        ends: how the group acts on inputs and outputs of the modules that were typed as such, by name.
        rules: what layers of the user's own mean, as given to ``bind``.
        inference: what the run found that the types were inferred from; None where they were given by hand.
        joint_maps: what penalty and decay keep of its small weights from one call to the next.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> binding = iw.bind(layer, {"": (V, V)})
        >>> binding["weight"].projector.rank, [entry.name for entry in binding.entries]
        (4, ['weight', 'bias'])
        >>> _ = binding.project_()
        >>> binding.penalty(strength=0.1).item() < 1e-12
        True
    """

    model: nn.Module
    entries: tuple[Entry, ...]
    ends: Mapping[str, Ends] = field(default_factory=dict)
    rules: Rules = field(default_factory=dict)
    inference: Inference | None = None
    joint_maps: JointMaps = field(default_factory=JointMaps, init=False)

    @property
    def group(self) -> Group:
        """The group that acts."""
        return self.entries[0].projector.group if self.inference is None else self.inference.group

    @property
    def breakers(self) -> tuple[BrokenCall, ...]:
        """Calls that do not commute with the group though the weights are equivariant; none where types are by hand."""
        return () if self.inference is None else self.inference.breakers

    @property
    def types(self) -> tuple[TypedCall, ...]:
        """Every call of the run with the types of its tensors; none where types are by hand."""
        return () if self.inference is None else self.inference.calls

    @property
    def free(self) -> tuple[str, ...]:
        """Inferred: parameters and buffers of which every value is equivariant, as they act on copies alone."""
        return () if self.inference is None else self.inference.free

    @property
    def notes(self) -> tuple[str, ...]:
        """Inferred: what was forced to trivial and by what, what has no path to the output, where two runs part."""
        return () if self.inference is None else self.inference.notes

    @property
    def unaccounted(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the parameters, and of the floating-point buffers, that are not typed.

        Nothing is known of their equivariance; of a parametrised tensor that is typed the underlying parameters count
        as typed. Lazy parameters have no shape yet: ().
        """
        typed: set[int] = set()
        free = set() if self.inference is None else {*self.inference.free, *self.inference.constants}
        for entry in self.entries:
            typed |= {id(tensor) for tensor in entry.underlying(self.model)}
        tensors = [*self.model.named_parameters(), *self.model.named_buffers()]
        return {
            name: () if is_lazy(tensor) else tuple(tensor.shape)
            for name, tensor in tensors
            if id(tensor) not in typed and name not in free and (tensor.is_floating_point() or tensor.is_complex())
        }

    @property
    def constant_bytes(self) -> int:
        """Memory of the projectors' constants as built, and of what the penalty keeps from one call to the next.

        The latter is an index (4 bytes) for each entry that P does not annul of small weights, which are computed
        together; it is there after the first call.
        """
        projectors = {id(entry.projector): entry.projector for entry in self.entries}
        return sum(projector.constant_bytes for projector in projectors.values()) + self.joint_maps.nbytes

    def tensors(self) -> Iterator[tuple[Entry, torch.Tensor]]:
        """Each entry with its tensor, read from the model now."""
        for entry in self.entries:
            yield entry, entry.tensor(self.model)

    # -- measuring --------------------------------------------------------------------------------

    @in_own_precision
    def penalty(
        self,
        strength: Strength = 1.0,
        equivariant_strength: Strength = 0.0,
        form: Form = "squared",
        *,
        every: int = 1,
        step: int | None = None,
    ) -> torch.Tensor:
        """How far the typed parameters are from equivariant, as a loss term, summed over them; buffers have no part.

        With ``s`` the strength and ``s_G`` the equivariant strength:

        * ``"squared"``: ``s/2 |W-PW|^2 + s_G/2 |PW|^2``. Strengths mean what torch's ``weight_decay`` means, and
          s = s_G is weight decay. The gradient of the first term is ``s (W - PW)``.
        * ``"norm"``: ``s |W-PW| + s_G |PW|``, gradient 0 at W = PW.
        * ``"relative"``: ``s/2 |W-PW|^2 / |W|^2``, 0 for W = 0: a norm layer behind W cannot game it by shrinking W.

        The last two hold at every scale that the dtype has (1e-38 to 1e38 in float32). The first is infinite where
        ``|W-PW|^2`` is above the dtype's range (a residual of 1e19 in float32), and 0 where it is below.

        Args:
            strength: a number >= 0, or a mapping from names of parameters or modules to numbers (see below).
            equivariant_strength: likewise; 0 for the relative form.
            form: ``"squared"``, ``"norm"`` or ``"relative"``.
            every: k > 1 gives k times the penalty at every k-th ``step`` and 0 at the others, at a k-th of the cost.
            step: the number of steps of the optimiser done so far, which ``every`` > 1 goes by.

        In a mapping the longest name that fits a parameter counts, ``""`` fits all, and what no name fits has
        strength 0. Several groups: add the penalties of their bindings, or use ``intertwine.penalty``.

        Returns:
            A scalar on the parameters' device, differentiable twice; float32 for half precision. Tensors under a
            parametrisation enter as the effective ones, computed once more by this call (``parametrize.cached()``
            avoids that).

        Raises:
            ArgumentError: a strength that is NaN, negative or infinite, an unknown form, an equivariant strength in the
                relative form, a tensor that hooks compute (pruning) or that is sharded.
            UnknownNameError: a name in a mapping that fits no typed parameter.

        Source:
            Berndt and Stuehmer, arXiv 2601.05028: their squared form with weight lambda is ours with s = 2 lambda,
            their norm form is ours with s = lambda.

        Examples:
            >>> import intertwine as iw, torch
            >>> G = iw.Cyclic(4)
            >>> layer = torch.nn.Linear(4, 4, bias=False)
            >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
            >>> binding.penalty(strength=0.1).backward()
            >>> P = binding.entries[0].projector
            >>> torch.allclose(layer.weight.grad, 0.1 * P.residual(layer.weight))
            True
        """
        check_stored(self.model, self.entries, "penalty")
        if every == 1 and not isinstance(every, bool):
            return penalty_of(self.model, self.entries, strength, equivariant_strength, form, self.joint_maps)
        if is_due(every, step):
            return every * penalty_of(self.model, self.entries, strength, equivariant_strength, form, self.joint_maps)
        return no_penalty(self.model, self.entries)

    @in_own_precision
    def residuals(self) -> dict[str, Residual]:
        """A ``Residual`` by name for every typed tensor, without gradients: what reports are made of.

        They are measured in float64, in the norm of each projector, as ``report`` measures them.

        Raises:
            NonFiniteError: a tensor holds NaN or infinity.
            ArgumentError: a tensor is on the meta device.

        Examples:
            >>> import intertwine as iw, torch
            >>> G = iw.Cyclic(4)
            >>> layer = torch.nn.Linear(4, 4, bias=False)
            >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
            >>> _ = torch.nn.init.eye_(layer.weight)
            >>> binding.residuals()["weight"].relative_residual
            0.0
        """
        found = {}
        with torch.no_grad():
            for entry, tensor in self.tensors():
                found[entry.name] = measure(entry, tensor)
        return found

    # -- changing ---------------------------------------------------------------------------------

    @in_own_precision
    @torch.no_grad()
    def project_(self, *, preserve_norm: bool = False) -> "Binding":
        """``W <- P W`` in place, for every typed parameter and buffer.

        Args:
            preserve_norm: rescale what feeds each copy of each output field (axis 0; the outputs' axis of transposed
                convolutions and embeddings) to its former norm: P alone takes a factor ``sqrt(rank / numel)`` off a
                random weight. Copies without any equivariant part stay zero; biases, other vectors, norm layers and
                buffers are projected, never rescaled.

        Returns:
            The binding itself.

        A tensor under a parametrisation (weight norm and the like) is written to as torch does on assignment, through
        its right inverse; then it is computed anew, and has to be what was asked for.

        Raises:
            ArgumentError: a parametrisation cannot make the projection (a spectral norm rescales it), or hooks compute
                a typed tensor anew in every forward pass (pruning). Nothing has been changed then.

        Examples:
            >>> import intertwine as iw, torch
            >>> G = iw.Cyclic(4)
            >>> layer = torch.nn.Linear(4, 4)
            >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())}).project_()
            >>> bool(binding.penalty() < 1e-12)
            True
        """
        flag("preserve_norm", preserve_norm)
        return self._project_("project_", preserve_norm=preserve_norm)

    def _project_(self, argument: str, *, preserve_norm: bool) -> "Binding":
        def projection(entry: Entry) -> torch.Tensor:
            W, P, output = entry.tensor(self.model), entry.projector, entry.output
            keep = preserve_norm and output is not None and entry.kind != "buffer"
            return project_keeping_norms(P, W, output) if keep and output else project_at_scale(P, W)

        change_(self.model, self.entries, projection, argument)
        return self

    @in_own_precision
    @torch.no_grad()
    def blend_(self, alpha: Strength) -> "Binding":
        """``W <- (1 - alpha) W + alpha P W`` in place: 0 leaves W as it is, 1 is ``project_()``, both to the bit.

        Args:
            alpha: a number from 0 to 1, or a mapping from names of parameters or modules to such numbers, as strengths
                are; what no name fits stays as it is.

        Returns:
            The binding itself. Names in the state dict stay.

        Raises:
            ArgumentError: a number outside 0 to 1, or as ``project_``. Nothing has been changed then.
            UnknownNameError: a name that fits no typed parameter.

        Examples:
            >>> import intertwine as iw, torch
            >>> G = iw.Cyclic(4)
            >>> layer = torch.nn.Linear(4, 4, bias=False)
            >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
            >>> before = binding.residuals()["weight"].residual
            >>> round(binding.blend_(0.25).residuals()["weight"].residual / before, 4)
            0.75
        """
        shares = entry_strengths(alpha, self.entries, "alpha", largest=1.0)
        of = {entry.name: share for entry, share in zip(self.entries, shares, strict=True)}

        def blend(entry: Entry) -> torch.Tensor:
            W = entry.tensor(self.model)
            return torch.lerp(W, project_at_scale(entry.projector, W), of[entry.name])

        change_(self.model, self.entries, blend, "blend_")
        return self

    @in_own_precision
    @torch.no_grad()
    def split(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """``P W`` and ``W - P W`` of every typed tensor, by name: copies, which add up to the weights.

        Either can be loaded into the model, ``load_state_dict(..., strict=False)``, where nothing is parametrised.

        Examples:
            >>> import intertwine as iw, torch
            >>> G = iw.Cyclic(4)
            >>> layer = torch.nn.Linear(4, 4, bias=False)
            >>> equivariant, rest = iw.bind(layer, {"": (G.regular(), G.regular())}).split()
            >>> torch.allclose(equivariant["weight"] + rest["weight"], layer.weight)
            True
        """
        check_values(self.model, self.entries)
        parts = {entry.name: project_at_scale(entry.projector, tensor) for entry, tensor in self.tensors()}
        return parts, {entry.name: tensor - parts[entry.name] for entry, tensor in self.tensors()}

    @in_own_precision
    @torch.no_grad()
    def initialize_(self, *, generator: torch.Generator | None = None) -> "Binding":
        """The modules' own initialisation, then ``project_(preserve_norm=True)``.

        Every typed module draws anew (its ``reset_parameters``); parameters typed by name keep the values that they
        have. All are then projected, each output field rescaled to the norm that it was initialised with.

        Args:
            generator: seeds the draws; torch's default one if None. The global generators end up as they were,
                but for one draw if ``generator`` is None.

        Returns:
            The binding itself.

        Raises:
            ArgumentError: as ``project_``, or a typed module has no ``reset_parameters``.
        """
        check_values(self.model, self.entries)
        check_stored(self.model, self.entries, "initialize_")
        for entry in self.entries:
            if entry.is_computed(self.model):
                check_invertible(self.model, entry, "initialize_")
        draws = draws_of(self.model, self.entries)
        with seeded(generator, [tensor.device for _, tensor in self.tensors()]):
            for name, module, draw in draws:
                draw_(module, name, draw)
        return self._project_("initialize_", preserve_norm=True)

    # -- looking ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> Entry:
        for entry in self.entries:
            if isinstance(name, str) and entry.name == name:
                return entry
        raise UnknownNameError(
            "name",
            expected=f"a typed tensor: {nearest(str(name), (e.name for e in self.entries))}",
            got=repr(name)[:80],
        )

    def __repr__(self) -> str:
        lines = [f"Binding({self.group}, {len(self.entries)} typed, {len(self.unaccounted)} unaccounted)"]
        for entry, tensor in self.tensors():
            axes, free = ", ".join(map(str, entry.projector.axes)), free_axes(entry, tensor)
            rank = f"rank {free * entry.projector.rank} of {free * entry.projector.ambient_dim}"
            lines.append(f"  {entry.name} {tuple(tensor.shape)}  {axes}  {rank}")
        return "\n".join([*lines, *_space_lines(self.entries)])


def _space_lines(entries: tuple[Entry, ...]) -> list[str]:
    """How the group moves the pixels of kernels: one line, or one for each way with the names that it holds for."""
    moves: dict[str, list[str]] = {}
    for entry in entries:
        if entry.space is not None:
            moves.setdefault(space_text(entry.space), []).append(entry.name)
    if len(moves) == 1:
        return [f"  space: {next(iter(moves))}"]
    return [f"  space of {listing(names, 3)}: {text}" for text, names in moves.items()]
