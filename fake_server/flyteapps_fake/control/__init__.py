"""The control of a plane: faults, the log of calls, the clock. Entered under the plane's lock; no transport, no IO."""
