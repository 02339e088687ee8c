"""Networks in: cards, weights, and what they say."""
