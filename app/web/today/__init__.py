"""今日待办: the first page."""
