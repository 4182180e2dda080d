"""Requests to a cloud: one client, its credentials and retries, and the reading of a list."""
