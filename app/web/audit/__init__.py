"""审计: the audit trail as a page."""
