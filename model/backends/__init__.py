"""Backends: windows in, scores out. All share one decoder."""
