"""Types of tensors."""
