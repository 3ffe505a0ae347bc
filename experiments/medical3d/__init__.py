"""Volumes of organs, classified."""
