"""File or table to rows: what an input is, format by format. Add a format here."""
