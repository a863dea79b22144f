"""Spot checks: the ledger, the dispatcher and the verdict."""
