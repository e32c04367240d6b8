"""Derivatives as linear operators that keep their structure: `terms.py`, `operator.py`."""
