"""Benchmarks: the workloads, and the program that measures them (`python -m bench.run`)."""
