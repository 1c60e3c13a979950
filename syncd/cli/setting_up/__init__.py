"""What `syncd init` is made of: its questions, what it tries, and what it writes."""
