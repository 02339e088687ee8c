"""Labelled detections, simulated and real."""
