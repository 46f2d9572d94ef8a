"""The checks of the client laws, one file a subject. A check knows a scene and nothing of pytest."""
