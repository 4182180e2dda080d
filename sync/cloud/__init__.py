"""All HTTP of the job: one client, its credentials, its patience, and the reading of a list."""
