"""What the services share: the table row, filters, pages, bounded storage."""
