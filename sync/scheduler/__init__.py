"""When sources are synced, and that it happens: in UTC, never twice at once, whatever the clock does."""
