"""The tamper-evident log: events, RFC 6962 tree, signed checkpoints, proofs and their verification."""
