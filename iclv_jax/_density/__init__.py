"""The complete-data density of one person."""
