"""The Lie derivative of the network as a penalty."""

import numpy as np
import torch
from torch.autograd import forward_ad

from intertwine._arguments import integer
from intertwine.baselines.method import Method
from intertwine.baselines.sampled_activation import mean_square
from intertwine.baselines.subject import Action, Subject
from intertwine.errors import ArgumentError, GroupMismatchError
from intertwine.groups import Group
from intertwine.representations import Representation

# How far a matrix may be from the span of the Lie algebra's basis, relative to its norm.
IN_ALGEBRA = 1e-8


class LieDerivative(Method):
    """``L + s/2 mean |L_A f (x)|^2``, A a random unit element of the Lie algebra at each step.

    ``L_A f (x) = d/dt rho_out(exp(-tA)) f(rho_in(exp(tA)) x) at t = 0 = J_f(x) d rho_in(A) x - d rho_out(A) f(x)``

    is zero for all A and x iff f is equivariant under the group's identity component. Reflections and the other
    components (O(2), O(3)) are not seen. The mean is over samples and entries, as in the authors' local equivariance
    error. ``A = sum_k a_k X_k`` with a uniform on the unit sphere and X the basis ``group.lie_algebra``: turns by one
    radian per unit of t for SO(2) and SO(3). So the expectation is ``s/2`` times the mean over k of
    ``mean |L_{X_k} f|^2``.

    The derivative is computed in forward mode along with one further forward pass, and differentiated backward as any
    loss; each operation of the model needs a forward-mode rule, which torch names if it is missing.

    Args:
        subject: as in ``Method``, with ``lie_in`` and ``lie_out``.
        strength: s.
        generator: draws A.
        num_samples: how many A a step, averaged.

    Raises:
        ArgumentError: the group is finite, so that it has no Lie algebra, or ``lie_in`` or ``lie_out`` is missing.

    Source:
        Gruver, Finzi, Goldblum and Wilson 2022, "The Lie derivative for measuring learned equivariance", arXiv
        2210.02984, where it measures; as a regulariser in Otto et al. 2023, arXiv 2311.00212.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import LieDerivative, Subject, lie_action
        >>> G, model, x = iw.SO(2), torch.nn.Linear(2, 2, bias=False), torch.randn(8, 2)
        >>> V = G.standard()
        >>> lie = lie_action(V)
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act, lie_in=lie, lie_out=lie)
        >>> _ = subject.binding.project_()
        >>> LieDerivative(subject, strength=1.0).penalty(x, model(x)).item() < 1e-10
        True
    """

    name = "lie_derivative"
    label = "Lie derivative"
    source = "Gruver et al. 2022, arXiv 2210.02984"
    tuned = True

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        num_samples: int = 1,
    ) -> None:
        if not len(subject.group.algebra_matrices()):
            raise ArgumentError(
                "subject",
                expected="a group with a Lie algebra, such as SO(2)",
                got=f"{subject.group}, which has none",
                advice="Finite groups have no derivative; use sampled_activation.",
            )
        if subject.lie_in is None or subject.lie_out is None:
            raise ArgumentError(
                "subject", expected="lie_in and lie_out", got="None", advice="For features use lie_action(rep)."
            )
        super().__init__(subject, strength, generator=generator)
        self.num_samples = integer("num_samples", num_samples, 1)

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        elements = [unit_element(self.subject.group, self.generator) for _ in range(self.num_samples)]
        terms = [mean_square(self.derivative(A, x)) for A in elements]
        return self.strength / (2 * self.num_samples) * torch.stack(terms).sum()

    def derivative(self, A: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """``L_A f (x)``, of the output's shape, differentiable by the parameters.

        Args:
            A: an element of the Lie algebra, shape (d, d).
            x: inputs.
        """
        lie_in, lie_out = self.subject.lie_in, self.subject.lie_out
        if lie_in is None or lie_out is None:  # pragma: no cover - the constructor has checked it
            raise ArgumentError("subject", expected="lie_in and lie_out", got="None")
        with forward_ad.dual_level():
            result = self.model(forward_ad.make_dual(x, lie_in(A, x)))
            value, tangent = forward_ad.unpack_dual(result)
        moved = lie_out(A, value)
        return -moved if tangent is None else tangent - moved


def unit_element(group: Group, generator: torch.Generator | None = None) -> torch.Tensor:
    """``A = sum_k a_k X_k``, a uniform on the unit sphere, X the basis of the Lie algebra; float64, shape (d, d)."""
    basis = group.lie_algebra
    a = torch.randn(len(basis), dtype=torch.float64, generator=generator)
    return torch.einsum("k,kij->ij", a / torch.linalg.vector_norm(a), basis)


def lie_action(rep: Representation) -> Action:
    """``(A, x) -> d rho(A) x`` on the last axis of x: what ``Subject.lie_in`` and ``lie_out`` are for features.

    Args:
        rep: the representation; of trivial ones it gives zeros.

    Raises:
        GroupMismatchError: (of the action) A is not in the Lie algebra.

    Source:
        Otto et al. 2023, arXiv 2311.00212.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.SO(2)
        >>> turn = lie_action(G.standard())
        >>> turn(G.lie_algebra[0], torch.tensor([1.0, 0.0])).tolist()
        [0.0, 1.0]
    """
    group = rep.group
    flat = group.algebra_matrices().reshape(len(group.algebra_matrices()), -1).T
    images = torch.from_numpy(np.ascontiguousarray(rep.as_field().algebra()))

    def act(A: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        target = A.detach().cpu().double().numpy().reshape(-1)
        a = np.linalg.lstsq(flat, target, rcond=None)[0]
        if np.linalg.norm(flat @ a - target) > IN_ALGEBRA * max(1.0, float(np.linalg.norm(target))):
            raise GroupMismatchError("A", expected=f"an element of the Lie algebra of {group}", got=repr(A)[:80])
        matrix = torch.einsum("k,kij->ij", torch.from_numpy(a).to(images.dtype), images)
        return x @ matrix.to(x.device, x.dtype).mT

    return act


def no_motion(_: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
    """The derivative of the trivial action: zeros; what ``Subject.lie_out`` is for logits and other invariants.

    Source:
        Own.

    Examples:
        >>> no_motion(torch.eye(2), torch.ones(3)).tolist()
        [0.0, 0.0, 0.0]
    """
    return torch.zeros_like(batch)
