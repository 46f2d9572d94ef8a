"""The oracle of the dialect `flyte-oss`: what is promised there is little, and what is promised is held."""
