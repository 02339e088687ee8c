"""Pixels in: exposures, what they say of themselves, and pieces of them."""
