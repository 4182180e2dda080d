"""Questions to the inventory, one module per feature; nothing here writes."""
