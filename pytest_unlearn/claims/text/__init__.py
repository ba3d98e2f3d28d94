"""Claims about documents and the language models that were to forget them."""
