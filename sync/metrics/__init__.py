"""What is measured of runs and sources, and how others get it: by asking, from a file, or pushed to them."""
