"""The network that judges whole images: its training, and its judgement."""
