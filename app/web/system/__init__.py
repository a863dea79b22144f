"""系统: trunks, rule sets, notices, storage, state, settings, examination."""
