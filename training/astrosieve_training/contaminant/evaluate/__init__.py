"""The judge of networks that map contaminants."""
