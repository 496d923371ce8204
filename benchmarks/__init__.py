"""Measures the service over HTTP against what its Postgres can do by itself. Run as `python -m benchmarks`."""
