"""The directed checks, one file a section of the contract. A check knows a session and nothing of pytest."""
