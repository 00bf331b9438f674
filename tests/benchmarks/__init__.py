"""Measured comparisons with the tools people use today; not part of the test suite."""
