"""The integral over nodes, and sums over people."""
