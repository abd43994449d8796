"""Backup and restoration: copies that do not undo an erasure."""
