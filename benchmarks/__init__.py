"""Measures this project side by side with what else would do its work; see README.md."""
