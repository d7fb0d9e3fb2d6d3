"""The whole account as a file that the importer reads back."""
