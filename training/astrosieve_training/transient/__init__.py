"""Candidates of transient surveys: simulated, learnt, judged."""
