"""The drivers of flows: blocking in the calling thread, or awaiting in an event loop."""
