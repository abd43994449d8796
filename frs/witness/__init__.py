"""The witness: a process of its own that remembers what the log has signed."""
