"""Methods that remove whole classes, not single examples."""
