"""Tasks of other folders, trained side by side so that differences of two trainings can be paired by seed."""
