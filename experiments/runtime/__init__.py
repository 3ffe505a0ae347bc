"""What every regulariser costs."""
