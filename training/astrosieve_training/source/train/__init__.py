"""Training of the networks that classify detections."""
