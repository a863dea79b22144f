"""Who is called when: the calendar, plans, the sealed draw, coverage."""
