"""The judge of networks that map contaminants."""

from astrosieve_training.contaminant.evaluate.judge import judge

__all__ = ['judge']
