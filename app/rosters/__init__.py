"""Who is on duty when, in every version that was filed, and where the principals are."""
