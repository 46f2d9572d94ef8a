"""Uses of the recorded calls: answers to queries, messages of the control API, tests."""
