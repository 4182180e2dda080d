"""Notices: what people are told of runs, and how it reaches them; nothing here knows the database."""
