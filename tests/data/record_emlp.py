"""Record emlp's ranks and projections as an oracle: writes emlp.npz beside this file.

emlp (Finzi et al. 2021) needs JAX and does not belong into the environment of the tests. The record was made on
Python 3.11 with emlp 1.0.3, jax 0.10.2, objax 1.8.0, numpy 2.4.6, in an environment of its own:

    python -m venv /tmp/emlp
    /tmp/emlp/bin/pip install --no-deps emlp==1.0.3
    /tmp/emlp/bin/pip install jax==0.10.2 objax==1.8.0 numpy==2.4.6 optax plum-dispatch tqdm h5py pytest six \\
        matplotlib scikit-learn scipy
    JAX_PLATFORMS=cpu /tmp/emlp/bin/python tests/data/record_emlp.py

Conventions of emlp: a map from ``rep_in`` to ``rep_out`` is a vector of ``rep_out (x) rep_in*``, row-major (out, in);
``V**2`` is the Kronecker square; elements act on ``V`` by the group's own matrices. emlp computes in float32.
"""

import json
from pathlib import Path

import emlp.groups
import jax
import numpy as np
from emlp.reps import V

# name of the case, group, powers of V in and out; 0 is the trivial representation, a list is a sum.
CASES = [
    ("Z(4)", 1, 1),
    ("Z(4)", 2, 1),
    ("Z(5)", 2, 2),
    ("D(3)", 1, 2),
    ("D(4)", 2, 2),
    ("D(5)", 3, 1),
    ("S(3)", 2, 2),
    ("S(4)", 1, 2),
    ("S(4)", 2, 0),
    ("SO(3)", 1, 1),
    ("SO(3)", 2, 1),
    ("SO(3)", 2, 2),
    ("O(3)", 2, 1),
    ("O(3)", 2, 2),
    ("SO(2)", 1, 1),
    ("SO13()", 1, 1),
    ("SO13()", 2, 2),
    ("SO13p()", 1, 2),
    ("O13()", 2, 2),
    ("Lorentz()", 2, 0),
    ("SL(2)", 2, 2),
    ("S(4)", [0, 1], [1, 2]),
    ("SO(3)", [0, 1], [1, 2]),
]


def power(group, exponent):
    """``V^exponent`` of emlp, a sum for a list; ``V(group)**0`` is trivial."""
    if isinstance(exponent, list):
        return sum((power(group, e) for e in exponent[1:]), start=power(group, exponent[0]))
    return V(group) ** exponent


def main() -> None:
    """Compute and write all cases."""
    rng = np.random.default_rng(20210701)
    arrays, cases = {}, []
    for number, (name, power_in, power_out) in enumerate(CASES):
        group = eval(f"emlp.groups.{name}", {"emlp": emlp})
        rep_in, rep_out = power(group, power_in), power(group, power_out)
        rep = rep_in >> rep_out
        basis = rep.equivariant_basis()
        weight = rng.normal(size=(rep_out.size(), rep_in.size())).astype(np.float32)
        projection = np.asarray(rep.equivariant_projector() @ weight.reshape(-1)).reshape(weight.shape)
        arrays[f"weight{number}"], arrays[f"projection{number}"] = weight, projection.astype(np.float32)
        arrays[f"lie{number}"] = np.array([np.asarray(a, dtype=np.float64) for a in group.lie_algebra]).reshape(
            -1, group.d, group.d
        )
        discrete = [
            np.asarray(h @ np.eye(group.d, dtype=np.float32), dtype=np.float64) for h in group.discrete_generators
        ]
        arrays[f"discrete{number}"] = np.array(discrete).reshape(-1, group.d, group.d)
        cases.append({"group": name, "in": power_in, "out": power_out, "rank": int(basis.shape[1])})
        print(cases[-1], weight.shape, flush=True)
    header = {"emlp": "1.0.3", "jax": jax.__version__, "numpy": np.__version__, "cases": cases}
    np.savez_compressed(Path(__file__).with_name("emlp.npz"), header=np.array(json.dumps(header)), **arrays)


if __name__ == "__main__":
    main()
