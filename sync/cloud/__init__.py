"""What a cloud is asked: one client, its credentials, its retries, and the reading of a list."""
