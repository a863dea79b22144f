"""How well spoken answers are understood: `python -m benchmarks.speech` (`make bench-speech`)."""
