"""我的账号: one's own password, sessions and tokens."""
