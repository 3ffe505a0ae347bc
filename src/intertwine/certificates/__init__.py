"""What residuals of weights prove of a whole network."""

from intertwine.certificates.certificate import Certificate, certificate

__all__ = ["Certificate", "certificate"]
