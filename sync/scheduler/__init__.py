"""Syncs sources when they are due, in UTC, never one of them twice at once, whatever the clock does."""
