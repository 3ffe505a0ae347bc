"""Smoke plumes, predicted step by step."""
