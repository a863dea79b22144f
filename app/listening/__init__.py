"""Listening: recordings in ranges, listening copies, peaks and clips; what is heard leaves an audit line."""
