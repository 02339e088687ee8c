"""Cameras on which the way from labels to a fine-tuned network is measured."""
