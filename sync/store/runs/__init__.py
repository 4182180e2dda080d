"""What a run reads and writes: its record, its transaction, and the digests it is compared by."""
