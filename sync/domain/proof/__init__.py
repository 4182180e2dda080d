"""Rules that prove a list complete: what answers cover, which page to ask for next, and the verdict."""
