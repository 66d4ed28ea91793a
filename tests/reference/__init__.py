"""The slow reference: plain NumPy in float64, written from the definitions."""
