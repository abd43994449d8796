"""FRS: face matching with watchlists for policing, lawful by construction."""

__version__ = "0.1.0"
