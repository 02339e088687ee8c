"""Judgement of the networks that classify detections."""
