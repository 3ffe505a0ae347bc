"""Split moments beside penalty, decay, exactly equivariant and plain training."""
