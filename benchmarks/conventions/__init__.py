"""How other packages order real spherical harmonics: measured where installed, else recorded."""
