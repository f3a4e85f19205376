"""Measurements whose figures the documentation quotes; none of them is a test.

`python -m benchmarks` runs them all, `python -m benchmarks --help` says which there are;
each also runs alone, as `python -m benchmarks.NAME`, and then has options of its own.
"""
