"""Pages, fragments and static files."""
