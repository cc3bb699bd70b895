"""Losses, schedules, data and the loop that fits a network."""
