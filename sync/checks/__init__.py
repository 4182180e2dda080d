"""Checks of the inventory: their SQL files, running them, and the formats of their findings."""
