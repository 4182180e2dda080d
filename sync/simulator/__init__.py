"""A simulated cloud: a real HTTP server with believable images, credentials that are checked, and faults on demand."""

from sync.simulator.answers import IMAGES, TOKENS
from sync.simulator.apis import LOST_MARKERS
from sync.simulator.faults import Faults
from sync.simulator.keystone import Application, Login
from sync.simulator.signing import Keys
from sync.simulator.simulator import Simulator
from sync.simulator.stage import START
from sync.simulator.viewer import ADMIN_ROLES, PROJECT, Viewer
from sync.simulator.world import World

__all__ = [
    "ADMIN_ROLES",
    "IMAGES",
    "LOST_MARKERS",
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
