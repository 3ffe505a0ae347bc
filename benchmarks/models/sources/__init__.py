"""The models of the table, a file a package; each has ``cases()`` and imports its package there."""
