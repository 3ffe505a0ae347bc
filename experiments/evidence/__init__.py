"""docs/evidence, written from the records."""
