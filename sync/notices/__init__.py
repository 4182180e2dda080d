"""Notices to people about runs, and their delivery; nothing here knows the database."""
