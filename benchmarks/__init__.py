"""Measurements whose figures the documentation quotes; none of them is a test.

Each runs as `python -m benchmarks.NAME` and prints a Markdown table; `--json FILE` keeps
the environment and every sample.
"""
