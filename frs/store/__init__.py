"""The database (one writer, group commit, migrations) and the vault (a key per owner, true erasure)."""
