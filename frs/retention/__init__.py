"""Retention, holds and erasure: how long things are kept, and how they go."""
