"""Sequences of calls: what may be said to a plane, how it is said and judged, and how a failing one is told again."""
