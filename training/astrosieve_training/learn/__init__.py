"""Learning: loops, losses, calibration, export; no task."""
