"""Rules that prove a list complete: anchors, the chain of pages, the scan, and the verdict."""
