"""Row to contact: which column is which field, and what a cell means."""
