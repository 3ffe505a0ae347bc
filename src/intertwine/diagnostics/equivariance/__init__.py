"""How far a function is from equivariance, measured on moved inputs."""
