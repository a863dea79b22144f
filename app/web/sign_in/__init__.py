"""Signing in and out, one-time links, one's own account."""
