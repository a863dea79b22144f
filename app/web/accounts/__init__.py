"""账号: who may sign in, asked for and approved."""
