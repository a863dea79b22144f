"""实时: the calls under way."""
