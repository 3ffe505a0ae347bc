"""What layers do to the pixels of an image, judged under turns, mirrors and shifts."""
