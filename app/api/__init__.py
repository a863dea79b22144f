"""What every route of `/api/v1` shares: problems, pages, who asks, idempotency."""
