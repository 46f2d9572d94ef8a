"""Small helpers of the client: clock, secrets, checked arguments."""
