"""Cells that are safe in every spreadsheet program, and the files made of them. Knows nothing of checks."""
