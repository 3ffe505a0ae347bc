"""Projections of convolution kernels: functions on a window of pixels."""
