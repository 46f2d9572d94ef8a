"""A plane's time: clocks, timers, and the rules by which time moves."""
