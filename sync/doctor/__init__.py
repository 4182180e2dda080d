"""`image-sync doctor`: whether a run has all that it needs; one module per subject, one small function per check."""
