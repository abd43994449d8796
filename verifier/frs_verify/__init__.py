"""Verifies what a face-matching service's log gives out, with the log's public key and nothing else of the service.

Written to be read: each module is one idea, and docs/verify.md describes the same formats in prose, so that a
regulator can compare the two or write another. Depends on ``cryptography`` alone (and on ``pyarrow`` for Parquet).
"""

__version__ = "1.0.0"
