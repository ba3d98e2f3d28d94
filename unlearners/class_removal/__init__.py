"""Remove whole classes, not single examples."""
