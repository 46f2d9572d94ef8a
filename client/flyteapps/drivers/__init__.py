"""What runs a flow: blocking in this thread, or awaiting in an event loop."""
