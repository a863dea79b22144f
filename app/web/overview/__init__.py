"""总览: today, this month against the last one, whom to look at, how our own lines are."""
