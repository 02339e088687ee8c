"""Other networks that PyPI carries with their weights, each in its environment."""
