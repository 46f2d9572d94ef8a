"""The models of the dialect flyte-oss. Nothing here calls a plane."""
