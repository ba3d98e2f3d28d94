"""Log a run where experiments are tracked, through the client that is installed."""
