"""Blobs in difference images: simulated, learnt, judged."""
