"""What makes the documents: measured tables and generated files."""
