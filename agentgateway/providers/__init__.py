"""What the providers speak: pure, bytes in, values out."""
