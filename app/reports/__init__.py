"""Tables of checks, inspection forms, period summaries, and exports in the background."""
