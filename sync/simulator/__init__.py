"""A simulated cloud: a real HTTP server with believable images, credentials that are checked, and faults on demand."""

from sync.simulator.answers import IMAGES, TOKENS
from sync.simulator.faults import Faults
from sync.simulator.keystone import Application, Login
from sync.simulator.signing import Keys
from sync.simulator.simulator import Simulator
from sync.simulator.stage import START
from sync.simulator.viewer import PROJECT, Viewer
from sync.simulator.world import World

__all__ = [
    "IMAGES",
    "PROJECT",
    "START",
    "TOKENS",
    "Application",
    "Faults",
    "Keys",
    "Login",
    "Simulator",
    "Viewer",
    "World",
]
