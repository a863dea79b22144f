"""A fictional county to call."""
