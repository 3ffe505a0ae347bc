"""Functions for which there is no rule: asked by values what the group does to what they give."""
