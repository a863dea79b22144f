"""A year of plans in a few minutes: the real planner, dispatcher and ledger on a virtual clock, with a phone of its own."""
