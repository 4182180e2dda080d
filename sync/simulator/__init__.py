"""A simulated cloud: a real HTTP server with believable images, credentials that are checked, and faults on demand."""

from sync.simulator.answers import IMAGES, TOKENS
from sync.simulator.faults import Faults
from sync.simulator.identity import Login
from sync.simulator.signing import Keys
from sync.simulator.simulator import Simulator
from sync.simulator.world import START, World

__all__ = ["IMAGES", "START", "TOKENS", "Faults", "Keys", "Login", "Simulator", "World"]
