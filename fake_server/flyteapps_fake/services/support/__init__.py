"""Parts shared by the platform services: the table row, filters, pages, bounded storage."""
