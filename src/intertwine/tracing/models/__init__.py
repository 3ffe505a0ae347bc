"""Running a user's model: in eval mode, on copies of its inputs, whatever structure these have."""
