"""The laboratory: experiments on the library, its evidence and its demo; not part of what is installed."""
