"""What penalty and decay do with many weights at once: joint maps, weighted norms, proximal steps."""
