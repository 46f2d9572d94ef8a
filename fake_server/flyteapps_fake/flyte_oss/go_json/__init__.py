"""JSON requests as Go's protojson decodes them, with its errors."""
