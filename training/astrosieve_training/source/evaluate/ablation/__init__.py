"""What was tried: the network with one thing changed at a time."""
