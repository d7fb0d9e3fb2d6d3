"""Contact to result: workers and what they share. Knows no file and no journal."""
