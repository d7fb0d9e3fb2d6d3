"""Measurements of the package beside what a user would pick instead; see docs/benchmarks.md."""
