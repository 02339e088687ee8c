"""Training and judging of networks that tell which pixels are spoilt."""
