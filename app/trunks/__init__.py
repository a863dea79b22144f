"""Our own lines to the telephone network (中继): their records, their state, and the numbers that bound them."""
