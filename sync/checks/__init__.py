"""Checks of the inventory: SQL files, and what runs them and formats their findings."""
