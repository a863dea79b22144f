"""日历: the pages of the calendar."""
