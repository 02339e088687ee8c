"""Is a detection a star, a cosmic ray, a diffraction spike ...?"""
