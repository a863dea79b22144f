"""Running the service: whether it is ready, its figures, backups, and what is amiss on this machine."""
