"""The ``frs`` command."""
