"""How Convolutional Pose Machines are trained."""
