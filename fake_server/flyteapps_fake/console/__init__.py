"""The pages of the console and of apps."""
