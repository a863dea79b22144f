"""Fuzzing: what reads foreign bytes, the call machine, and a running phone with calls in progress.

`make test` runs a share of it, `make fuzz` all of it at length; docs/how-to/fuzz.md tells how to repeat a finding.
"""
