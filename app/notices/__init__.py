"""Notices (提醒): what our own side has to see to, on the pages, by e-mail and to an address. Counts, never names."""
