"""Phones that `benchmarks.peers` measures side by side, each a program of its own for a process of its own.

Each is run as `python -m benchmarks.peer_phones.NAME --port P --calls N --at-once M --talk-s S`, places N calls to
the far end at that port, M under way at any time, hangs each up after S seconds of talk, and prints one JSON object
(`benchmarks.peer_phones.tally`). They import nothing of ours but that, so that they run where only the peer is
installed.
"""
