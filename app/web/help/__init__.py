"""帮助: keys and ways of work, opened with F1 on every page."""
