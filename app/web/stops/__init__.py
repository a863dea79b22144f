"""紧急停拨: the page, the panel that every page opens, and the banner while a stop holds."""
