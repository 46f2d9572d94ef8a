"""The authorization server of a plane: login pages, tokens, keys, over authlib."""
