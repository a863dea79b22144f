"""Call audio as evidence."""
