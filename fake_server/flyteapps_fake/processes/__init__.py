"""The data plane that really runs apps, as processes of this machine."""
