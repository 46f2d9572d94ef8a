"""Parts shared by the simulated clusters of all dialects: scenarios, admission, secrets, log lines."""
