"""Adapters that put astrosieve into its hosts; each module imports its host alone."""
