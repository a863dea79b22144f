"""Recordings as evidence: how long they are kept, what holds them, how they are withdrawn and handed over."""
