"""Networks that tell what kind of spectral frame an image is."""
