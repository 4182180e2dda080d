"""What is told of the inventory in the formats of others."""
