"""Pure functions on points: normalising, projecting, comparing."""
