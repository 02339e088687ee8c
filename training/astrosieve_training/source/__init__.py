"""The task source: networks that classify detections."""
