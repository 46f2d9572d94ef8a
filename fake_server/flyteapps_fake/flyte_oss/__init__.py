"""The dialect of the open-source Flyte 2 backend."""
