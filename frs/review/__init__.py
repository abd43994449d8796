"""Human review: every alert is decided by a person."""
