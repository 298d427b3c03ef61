"""What a user named, and the one pose or clip that is meant by it."""
