"""What is asked of the inventory, one module per feature; nothing here writes."""
