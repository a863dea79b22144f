"""抽查计划: the pages of plans."""
