"""The line benchmark: calls by a generator with truth, what DutyRing hears in them, and what its peers hear."""
