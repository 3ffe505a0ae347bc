"""The fields that groups build: elements, cosets and pixels permuted, signs with them."""
