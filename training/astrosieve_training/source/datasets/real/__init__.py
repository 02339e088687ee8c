"""Real frames and what is known of their detections."""
