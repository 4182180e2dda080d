"""Metrics of runs and sources, and how they are delivered: scraped, in a file, or pushed."""
