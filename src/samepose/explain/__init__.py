"""What a model has learned, in numbers and in pictures. The pictures need matplotlib (`samepose[eval]`)."""
