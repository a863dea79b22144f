"""Workbooks in and out, as pages."""
