"""A simulated cloud: a real HTTP server with believable images, credentials that are checked, and faults on demand.

What can go wrong is in ``effects`` and ``breakage``: ``simulator.faults.add(breakage.drop(), offset=490)``.
"""

from sync.simulator import breakage, effects
from sync.simulator.faults import IMAGES, TOKENS, Faults
from sync.simulator.identity import Identity, Login
from sync.simulator.journal import Event, Journal
from sync.simulator.signing import Keys
from sync.simulator.simulator import Simulator
from sync.simulator.world import START, World

__all__ = [
    "IMAGES",
    "START",
    "TOKENS",
    "Event",
    "Faults",
    "Identity",
    "Journal",
    "Keys",
    "Login",
    "Simulator",
    "World",
    "breakage",
    "effects",
]
