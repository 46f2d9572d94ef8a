"""What the simulated clusters of all dialects share: scenarios, admission, secrets, log lines."""
