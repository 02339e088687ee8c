"""Simulators, labelling, networks, training, evaluation and export."""
