"""The duty office's work: directory, plans, checks, verdicts, tables and pages."""
