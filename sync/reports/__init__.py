"""Reports on the inventory, in several formats."""
