"""Generated from ``protos/frs/v1`` by ``make generate``; never edited."""
