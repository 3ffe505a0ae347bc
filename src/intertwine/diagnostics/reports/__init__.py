"""What a model's weights and layers say of its equivariance, as text, table, page and picture."""
