"""`image-sync doctor`: whether all that a run needs is there; one module a subject, one small function a check."""
