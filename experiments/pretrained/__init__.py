"""Which symmetry did a trained network learn, and is it worth keeping: MNIST, face detection, fine-tuning."""
