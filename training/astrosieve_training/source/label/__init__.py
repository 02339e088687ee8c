"""Truth for real frames, from other exposures of the same sky."""
