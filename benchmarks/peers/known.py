"""The libraries that projectors are compared with."""

from benchmarks.peers.emlp import EMLP
from benchmarks.peers.peer import Peer
from benchmarks.peers.symm_learning import SymmLearning

PEERS: tuple[Peer, ...] = (SymmLearning(), EMLP())
