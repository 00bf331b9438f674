"""Carries onward what an exporter has written: sealed into one file, or file by file, to a place of any kind."""
