"""The dialect `flyte-oss`: the behaviour of the open-source Flyte 2 backend."""
