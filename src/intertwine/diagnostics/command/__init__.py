"""What a command names as text: a model, its checkpoint, the files that a report is written to."""
