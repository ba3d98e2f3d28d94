"""Write a suite that runs at once, to be replaced by one's own."""
