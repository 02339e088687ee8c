"""Judgement of the step label."""
